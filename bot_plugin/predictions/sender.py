"""Sends what waits, a request at a time and in order; what was not answered goes again, with the same keys."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from bot_plugin.predictions.answer import Step, Told, Verdict, judge, read_line
from bot_plugin.predictions.connection import Broken, Connection, Head
from bot_plugin.predictions.queue import NOT_YET, Queue, Waiting
from bot_plugin.predictions.results import Outcome
from bot_plugin.predictions.settings import PredictionSettings
from bot_plugin.predictions.signature import secret_bytes, signed

log = logging.getLogger("bot_plugin.predictions")

SIZE = 250_000
"""Bytes of a request, unless one prediction alone has more: a gateway takes 256 KiB of what is signed.

Where somebody on the way takes less, it is halved until it fits.
"""

_SUCCESS = range(200, 300)
_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why some of a request has no answer.

    Args:
        reason: in words.
        after: seconds to wait before the next, at least.
        at_once: whether the next may go without a pause: nothing is wrong with the gateway.
    """

    reason: str
    after: float = 0.0
    at_once: bool = False


class Sender:
    """Sends what waits.

    Args:
        settings: to whom, and by whom.
        queue: what waits.
        tls: checks the gateway's certificate; None for no TLS.
        now: this machine's clock.
        draw: a number between two, for pauses.
    """

    def __init__(
        self,
        settings: PredictionSettings,
        queue: Queue,
        *,
        tls: ssl.SSLContext | None,
        now: Callable[[], datetime],
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._settings, self._queue, self._tls = settings, queue, tls
        self._now, self._draw = now, draw
        self._key = None if settings.secret is None else secret_bytes(settings.secret)
        self._size = SIZE
        self._connection: Connection | None = None
        self._attempt = 0

    async def run(self) -> NoReturn:
        """Send, until cancelled."""
        try:
            while True:
                await self._queue.some()
                trouble = await self._exchange()
                if trouble is None:
                    self._recovered()
                else:
                    await self._pause(trouble)
        finally:
            self._drop()

    async def _exchange(self) -> Trouble | None:
        """Make one request of what waits; what is wrong where not all of it was answered."""
        try:
            connection, again = await self._connected()
        except OSError as error:
            return Trouble(reason=f"{self._settings.url} cannot be reached: {_words(error)}")
        batch = self._queue.take(lines=self._settings.batch, size=self._size)  # connecting took time
        if not batch:
            return None
        for waiting in batch:
            waiting.under_way = True
            waiting.attempts += 1
        head: Head | None = None
        try:
            head = await self._post(connection, batch)
            return await self._answered(connection, head, batch)
        except OSError as error:
            return Trouble(reason=f"no whole answer came: {_words(error)}", at_once=again and head is None)
        finally:
            for waiting in batch:
                waiting.lost, waiting.under_way = waiting.lost or waiting.under_way, False
            if not connection.reusable:
                self._drop()

    async def _connected(self) -> tuple[Connection, bool]:
        """A connection, and whether it was used before: the gateway may have closed that at this moment."""
        if self._connection is not None and self._connection.reusable:
            return self._connection, True
        self._drop()
        self._connection = await Connection.open(self._settings, self._tls)
        return self._connection, False

    async def _post(self, connection: Connection, batch: Sequence[Waiting]) -> Head:
        body = b"\n".join([*(waiting.line.text for waiting in batch), b""])
        headers = {"Content-Type": "application/x-ndjson", "Accept": "application/x-ndjson"}
        return await connection.post({**headers, **self._credential(body)}, body)

    def _credential(self, body: bytes) -> Mapping[str, str]:
        if self._key is None:
            return {"Authorization": f"Bearer {self._settings.key}"}
        return signed(body, key=self._key, now=int(self._now().timestamp()))

    async def _answered(self, connection: Connection, head: Head, batch: Sequence[Waiting]) -> Trouble | None:
        if head.status in _SUCCESS:
            return await self._read(connection, batch)
        verdict = judge(head.status, head.headers, await connection.body(), lines=len(batch), now=self._now())
        if verdict.step is Step.REFUSED:
            log.warning(
                "%s refused: %s", "it was" if len(batch) == 1 else f"{len(batch)} predictions were", verdict.reason
            )
            for waiting in batch:
                waiting.end(Outcome.REFUSED, reason=verdict.reason, faults=verdict.faults)
            return None
        return self._put_back(batch, verdict)

    def _put_back(self, batch: Sequence[Waiting], verdict: Verdict) -> Trouble:
        if verdict.step is Step.FEWER:
            self._size = sum(len(waiting.line.text) for waiting in batch) // 2
        for waiting in batch:
            waiting.under_way = not verdict.certain
        return Trouble(reason=verdict.reason, after=verdict.after, at_once=verdict.step is Step.FEWER)

    async def _read(self, connection: Connection, batch: Sequence[Waiting]) -> Trouble | None:
        """Read the answer's lines, each of one prediction, in order unless they say of which."""
        place, whole, reason = 0, False, ""
        async for line in connection.lines():
            if not line.strip():
                continue
            told = read_line(line)
            if told is None:
                raise Broken("a line of the answer cannot be read; is this the gateway's address?")
            if told.done:
                whole = True
                continue
            if told.stopped:
                return Trouble(reason=told.reason)
            place = place if told.place is None else told.place
            if place < len(batch):
                reason = _tell(batch[place], told) or reason
                self._attempt = 0
            place += 1
        if all(waiting.answer.done() for waiting in batch):
            return None
        return Trouble(reason=reason or ("not all was answered" if whole else "the answer ended before it was done"))

    async def _pause(self, trouble: Trouble) -> None:
        if trouble.at_once:
            return
        if self._queue.trouble == NOT_YET:
            log.warning("predictions wait: %s", trouble.reason)
        self._queue.trouble = trouble.reason
        first, longest = self._settings.backoff
        drawn = self._draw(0, min(longest, first * 2 ** min(self._attempt, _MOST_DOUBLINGS)))
        self._attempt += 1
        await asyncio.sleep(trouble.after + drawn)

    def _recovered(self) -> None:
        if self._queue.trouble != NOT_YET:
            log.info("predictions go out again")
        self._queue.trouble, self._attempt = NOT_YET, 0

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _tell(waiting: Waiting, told: Told) -> str:
    """Tell a prediction what became of it; why it is to go again, where it is."""
    if told.outcome is None:
        return told.reason
    if told.outcome is Outcome.REFUSED:
        log.warning("a prediction was refused: %s", told.reason)
    waiting.end(told.outcome, id_=told.id, reason=told.reason, faults=told.faults)
    return ""


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return error.strerror or str(error) or type(error).__name__
