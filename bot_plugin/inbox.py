"""What arrived, started and finished at this bot: the memory that keeps a repeated signal from running twice."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Protocol

from bot_plugin.errors import InboxFull
from schemas.fields import to_micros
from schemas.receipt import Receipt

KEEP_AFTER_EXPIRY = 3_600_000_000
"""Microseconds that an id is kept past its expiry."""


class Step(StrEnum):
    """How far a signal is in one handler. ``started`` without ``done`` at start-up is a run that a crash cut short."""

    SEEN = "seen"
    STARTED = "started"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A signal as it arrived, with all that is needed to run it after a restart. Times are microseconds.

    Args:
        handlers: the names of the handlers that it is for, each with a row of its own.
        forget_at: when its id may be forgotten.
    """

    id: str
    topic: str
    payload: bytes = field(repr=False)
    handlers: tuple[str, ...]
    received_at: int
    forget_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A signal that an earlier process left, and how far each of its handlers was."""

    arrival: Arrival
    steps: dict[str, Step]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an earlier process left: signals to run or to report, and receipts that nobody confirmed."""

    unfinished: tuple[Unfinished, ...] = ()
    owed: tuple[Receipt, ...] = ()


class Inbox(Protocol):
    """The bot's memory. What a method stored is stored when it returns; calls return in the order they were made.

    Any method may raise OSError: nothing of the call was stored then, and the message is not acknowledged.
    """

    @property
    def durable(self) -> bool:
        """Whether it survives this process."""
        ...

    async def open(self) -> Recovered:
        """Make it ready, and say what an earlier process left."""
        ...

    async def arrive(self, arrival: Arrival) -> bool:
        """Store a signal as seen; False, with nothing changed, where its id is known.

        Raises:
            InboxFull: no id may be forgotten for it; nothing was stored.
        """
        ...

    async def start(self, id_: str, handler: str, *, at: int) -> None:
        """Store that a handler is about to be called."""
        ...

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        """As ``start``, on the calling thread, whichever it is: for a strategy that looks when it ticks."""
        ...

    async def finish(self, receipt: Receipt) -> None:
        """Store a handler's end, by its final receipt; of the signal as a whole, where the receipt names no handler."""
        ...

    async def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of a signal, to repeat them."""
        ...

    async def withdraw(self, receipt: Receipt, *, forget_at: int) -> bool:
        """Store that a signal must not be run any more; False where its id is known.

        Raises:
            InboxFull: as ``arrive`` does.
        """
        ...

    async def confirm(self, receipts: Iterable[Receipt]) -> None:
        """Store that the gateway has these receipts."""
        ...

    async def prune(self) -> int:
        """Forget ids whose time has come, whatever a clock says that was set forward; say how many."""
        ...

    async def close(self) -> None:
        """Store what is pending and close."""
        ...


class MemoryInbox:
    """The Inbox of a bot without a state folder: it forgets everything at exit.

    How long an id is kept is told by the monotonic clock, from its arrival on. Where there is no room for a new one,
    those past their expiry go before their hour is over, and no others.

    Args:
        limit: ids of signals to run that are kept at most, and as many of others.
        monotonic: a clock that nobody sets, microseconds.
    """

    durable = False

    def __init__(
        self, *, limit: int = 50_000, monotonic: Callable[[], int] = lambda: time.monotonic_ns() // 1000
    ) -> None:
        self._limit, self._monotonic = limit, monotonic
        self._rows: dict[str, tuple[Receipt, ...]] = {}
        self._ends: list[tuple[int, str]] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._rows)

    async def open(self) -> Recovered:
        """Nothing was left."""
        return Recovered()

    async def arrive(self, arrival: Arrival) -> bool:
        """Remember an id; False where it is known."""
        limit = self._limit if arrival.handlers else 2 * self._limit
        return self._add(arrival.id, keep=arrival.forget_at - arrival.received_at, limit=limit)

    async def start(self, id_: str, handler: str, *, at: int) -> None:
        """A process that ends forgets all, so that there is nothing to store."""

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        """As ``start``."""

    async def finish(self, receipt: Receipt) -> None:
        """Remember a final receipt."""
        with self._lock:
            if receipt.signal in self._rows:
                self._rows[receipt.signal] += (receipt,)

    async def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of a signal."""
        return self._rows.get(id_, ())

    async def withdraw(self, receipt: Receipt, *, forget_at: int) -> bool:
        """Remember an id that never arrived as withdrawn."""
        keep = forget_at - to_micros(receipt.at)
        return self._add(receipt.signal, keep=keep, limit=2 * self._limit, receipts=(receipt,))

    async def confirm(self, receipts: Iterable[Receipt]) -> None:
        """Receipts that are owed are kept by whoever sends them."""

    async def prune(self) -> int:
        """Forget ids past their time."""
        with self._lock:
            return self._forget(before=self._monotonic(), most=len(self._ends))

    async def close(self) -> None:
        """Nothing is pending."""

    def _add(self, id_: str, *, keep: int, limit: int, receipts: tuple[Receipt, ...] = ()) -> bool:
        now = self._monotonic()
        with self._lock:
            if id_ in self._rows:
                return False
            if len(self._rows) >= limit and not self._forget(before=now + KEEP_AFTER_EXPIRY, most=1):
                raise InboxFull(f"inbox full: {limit} signals are remembered, and none of them has expired")
            self._rows[id_] = receipts
            heapq.heappush(self._ends, (now + keep, id_))
        return True

    def _forget(self, *, before: int, most: int) -> int:
        forgotten = 0
        while forgotten < most and self._ends and self._ends[0][0] <= before:
            del self._rows[heapq.heappop(self._ends)[1]]
            forgotten += 1
        return forgotten
