"""Receipts on their way to the gateway: kept until it has them, sent in batches, repeated after a reconnect."""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from asyncio import Future
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from bot_plugin.errors import LinkLost
from bot_plugin.transport import REFUSED, Link
from schemas import envelope as envelopes
from schemas.envelope import Envelope
from schemas.receipt import Receipt, ReceiptSchema, Stage

log = logging.getLogger("bot_plugin.receipts")

_NAMESPACE = uuid.UUID("6f1a7d0e-3d0c-5c58-9b0a-2f7c2c1f5f10")
_DATASCHEMA = envelopes.schema_urn(envelopes.RECEIPT)
_MAX_DOUBLINGS = 4

_JUST_SENT = 1.0
"""Seconds in which a confirmation may still be on its way."""

_PROMPT = 0.5
"""Seconds in which a gateway that is there confirms something; it gathers for 0.1."""


def receipt_id(receipt: Receipt) -> str:
    """The same id for the same (signal, bot, handler, stage), so that a repeat changes nothing at the gateway."""
    parts = (receipt.signal, receipt.bot, receipt.handler or "", receipt.stage)
    return str(uuid.uuid5(_NAMESPACE, "\n".join(parts)))


def encode(receipt: Receipt, id_: str) -> bytes:
    """A receipt in its envelope."""
    return envelopes.encode(
        Envelope(
            id=id_,
            source=f"/bots/{receipt.bot}",
            type=envelopes.RECEIPT,
            subject=receipt.signal,
            time=receipt.at,
            dataschema=_DATASCHEMA,
            causationid=receipt.signal,
            data=envelopes.body(ReceiptSchema, receipt),
        )
    )


@dataclass(slots=True)
class _Entry:
    receipt: Receipt
    since: float
    sent_at: float = 0.0
    times: int = 0
    heard: bool = False


_Key = tuple[str, str | None, bool]
_Of = tuple[str, str | None]
"""A signal, and a handler."""


def _key(receipt: Receipt) -> _Key:
    """What a later stage replaces while it waits: a last receipt tells the earlier ones too, ``filled`` does not."""
    return receipt.signal, receipt.handler, receipt.stage is Stage.FILLED


class Receipts:
    """Sends receipts, each until the gateway confirms that it has it: a broker's acknowledgement is no proof of that.

    Args:
        limit: receipts kept at most; past it the oldest are dropped, and the log says how many.
        retry_after: seconds until a receipt that was not confirmed is sent again; twice as many each time, up to 16.
        keep_for: seconds that a receipt which the broker has is kept for a gateway that does not confirm it.
    """

    def __init__(
        self, link: Link, topic: str, *, limit: int = 50_000, retry_after: float = 5.0, keep_for: float = 86_400.0
    ) -> None:
        self._link, self._topic = link, topic
        self._limit, self._retry_after, self._keep_for = limit, retry_after, keep_for
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[_Key, _Entry] = {}
        self._in_flight: dict[str, _Entry] = {}
        self._unconfirmed: dict[str, _Entry] = {}
        self._ahead: set[_Of] = set()
        self._behind: dict[_Of, _Entry] = {}
        self._confirmed: list[Receipt] = []
        self._flushing = False
        self._dropped = 0
        self._refused = False
        self._heard_at = -math.inf
        self.shown = False
        """Whether there is a gateway that confirms receipts."""

    def __len__(self) -> int:
        return self.unsent + len(self._unconfirmed) + len(self._behind)

    @property
    def unsent(self) -> int:
        """How many the broker has not acknowledged yet."""
        return len(self._waiting) + len(self._in_flight)

    @property
    def unanswered(self) -> bool:
        """Whether the gateway, which confirms otherwise, is silent for more than half a second though it was asked."""
        return self.shown and self._silence() > _PROMPT

    @property
    def lag(self) -> float:
        """Seconds since the oldest receipt was sent that the gateway has not confirmed; 0 where there is none."""
        return max(0.0, self._loop.time() - self._oldest())

    def _silence(self) -> float:
        """Seconds since the gateway confirmed anything, where something was to be confirmed for all that time."""
        return self._loop.time() - max(self._oldest(), self._heard_at)

    def _oldest(self) -> float:
        entries = chain(self._unconfirmed.values(), self._in_flight.values(), self._waiting.values())
        return min((entry.since for entry in entries), default=math.inf)

    def send(self, receipt: Receipt) -> None:
        """Send a receipt, with the others of this turn of the loop, in place of an earlier stage that waits still.

        That orders were filled is sent when the gateway has the handler's last one, or the broker, where none confirms.
        """
        of, entry = (receipt.signal, receipt.handler), _Entry(receipt, self._loop.time())
        if receipt.stage is not Stage.FILLED:
            self._waiting[_key(receipt)] = entry
            self._ahead |= {of} if receipt.stage.final else set()
        elif of in self._ahead:
            self._behind.setdefault(of, entry)
        else:
            self._waiting[_key(receipt)] = entry
        if len(self) > self._limit:
            self._drop_oldest()
        self._flush_soon()

    def reconnected(self) -> None:
        """Send again what a lost session may have forgotten."""
        self._send_again(list(self._unconfirmed))

    def retry(self) -> None:
        """Send again what was sent long ago and is not confirmed; called about every second."""
        now = self._loop.time()
        for id_ in [id_ for id_, entry in self._unconfirmed.items() if now - entry.since >= self._keep_for]:
            given_up = self._unconfirmed.pop(id_).receipt
            self._confirmed.append(given_up)
            self._let_follow(given_up)
            log.warning("receipt %s was never confirmed by the gateway: given up after %g s", id_, self._keep_for)
        self._send_again([id_ for id_, entry in self._unconfirmed.items() if now - entry.sent_at >= self._pause(entry)])

    def receipted(self, ids: Collection[str]) -> float:
        """Forget the receipts that are on the gateway's disk; none at all says that it is there again: send again.

        Returns:
            Seconds for which the gateway had been silent, though it was asked.
        """
        self.shown = True
        silence, now = max(0.0, self._silence()), self._loop.time()
        self._heard_at = now
        if not ids:
            before = now - _JUST_SENT
            self._send_again([id_ for id_, entry in self._unconfirmed.items() if entry.sent_at < before])
        for id_ in ids:
            entry = self._unconfirmed.pop(id_, None) or self._in_flight.get(id_)
            if entry is not None:
                entry.heard = True
                self._confirmed.append(entry.receipt)
                self._let_follow(entry.receipt)
        return silence

    def take_confirmed(self) -> list[Receipt]:
        """The receipts that were confirmed since the last call."""
        confirmed, self._confirmed = self._confirmed, []
        return confirmed

    async def drained(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when the broker has acknowledged all, or after the timeout (seconds), or when the link is down."""
        deadline = self._loop.time() + timeout
        for entry in list(self._behind.values()):
            self._let_follow(entry.receipt)
        while self.unsent and self._link.connected and self._loop.time() < deadline:  # noqa: ASYNC110  # of the link, too
            await asyncio.sleep(0.005)

    def _let_follow(self, last: Receipt) -> None:
        """Send what waits for a handler's last receipt, where this is it."""
        if not last.stage.final:
            return
        of = last.signal, last.handler
        self._ahead.discard(of)
        if (entry := self._behind.pop(of, None)) is not None:
            self._waiting[_key(entry.receipt)] = entry
            self._flush_soon()

    def _pause(self, entry: _Entry) -> float:
        return self._retry_after * float(1 << min(entry.times - 1, _MAX_DOUBLINGS))

    def _send_again(self, ids: list[str]) -> None:
        for id_ in ids:
            entry = self._unconfirmed.pop(id_)
            self._waiting.setdefault(_key(entry.receipt), entry)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._flushing and self._waiting:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        for _ in range(min(self._link.free, len(self._waiting))):
            key, entry = next(iter(self._waiting.items()))
            id_ = receipt_id(entry.receipt)
            try:
                acknowledged = self._link.publish(self._topic, encode(entry.receipt, id_))
            except LinkLost:
                return
            del self._waiting[key]
            self._in_flight[id_] = entry
            entry.sent_at = self._loop.time()
            entry.times += 1
            acknowledged.add_done_callback(partial(self._acknowledged, id_))

    def _acknowledged(self, id_: str, future: Future[int]) -> None:
        entry = self._in_flight.pop(id_, None)
        if entry is None or entry.heard:
            self._flush_soon()
            return
        if future.cancelled() or future.exception() is not None:
            self._waiting.setdefault(_key(entry.receipt), entry)
            return
        reason = future.result()
        if reason >= REFUSED and not self._refused:
            self._refused = True
            log.error(
                "the broker refuses receipts on %s (reason %#x): this bot may not publish there", self._topic, reason
            )
        self._unconfirmed[id_] = entry
        if not self.shown:
            self._let_follow(entry.receipt)
        self._flush_soon()

    def _drop_oldest(self) -> None:
        oldest: dict[Any, _Entry] = self._unconfirmed or self._waiting
        dropped = oldest.pop(next(iter(oldest)))
        self._let_follow(dropped.receipt)
        self._dropped += 1
        if self._dropped == 1 or self._dropped % 1000 == 0:
            log.warning("more than %d receipts wait for the gateway: dropped %d so far", self._limit, self._dropped)
