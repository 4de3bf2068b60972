"""What is said of a signal in a handler: it is in the inbox first, and in a receipt after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from threading import get_ident

from bot_plugin.inbox import Inbox
from bot_plugin.job import Job
from bot_plugin.receipts import Receipts
from bot_plugin.wording import in_receipt
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage

log = logging.getLogger("bot_plugin.lifecycle")


class Reports:
    """Writes receipts of jobs, and sends them when what they say is stored.

    Args:
        bot: the bot's name.
        now: the bot's clock, microseconds since the epoch.
    """

    def __init__(self, bot: str, *, inbox: Inbox, receipts: Receipts, now: Callable[[], int]) -> None:
        self._bot, self._inbox, self._receipts, self._now = bot, inbox, receipts, now
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()

    def of(self, job: Job, reason: str | None = None) -> Receipt:
        """The receipt of a job as it is now."""
        at = self._now()
        started = job.started_at
        if job.note:
            reason = f"{reason}; {job.note}" if reason else job.note
        return Receipt(
            signal=job.signal.id,
            bot=self._bot,
            handler=job.registration.name,
            stage=job.stage,
            reason=in_receipt(reason) if reason else None,
            order_ids=job.orders.ids,
            at=from_micros(at),
            received_at=job.signal.received_at,
            started_at=None if started is None else from_micros(started),
            duration_ms=None if started is None or not job.ended else max(0, at - started) / 1000,
        )

    def end(self, receipt: Receipt) -> None:
        """Tell the inbox that a handler ended, or the signal as a whole, and the gateway after it."""
        self._inbox.finish(receipt)
        self.send(receipt)

    def send(self, receipt: Receipt) -> None:
        """Send a receipt once what it says is in the inbox; where that fails, the inbox ends the run."""

        def send(error: OSError | None) -> None:
            if error is None:
                self._receipts.send(receipt)

        self._inbox.when_stored(send)

    def told(self, job: Job) -> None:
        """A strategy told something of the orders that followed, on whichever thread."""
        if get_ident() == self._thread:
            self._note(job)
            return
        try:
            self._loop.call_soon_threadsafe(self._note, job)
        except RuntimeError:
            log.error("the listener has ended: nobody is told of the orders of %r", job)  # noqa: TRY400

    def follow(self, job: Job) -> None:
        """Say that the orders which followed were filled, once, when the handler has ended."""
        if job.orders.reason is None or not job.ended or job.filled:
            return
        job.filled = True
        filled = replace(self.of(job), stage=Stage.FILLED, reason=in_receipt(job.orders.reason) or None)
        self.end(filled)

    def _note(self, job: Job) -> None:
        """Let the inbox know which orders followed, for a process that comes after this one."""
        try:
            if job.orders.reason is None:
                self._inbox.placed(job.signal.id, job.registration.name, job.orders.ids)
            self.follow(job)
        except OSError as error:
            log.error("nobody is told of the orders of %r: %s", job, error)  # noqa: TRY400
