"""What arrived, started and finished at this bot: the memory that keeps a repeated signal from running twice."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Protocol

from schemas.receipt import Receipt

log = logging.getLogger("bot_plugin.inbox")

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
        """Store a signal as seen; False, with nothing changed, where its id is known."""
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
        """Store that a signal must not be run any more; False where its id is known."""
        ...

    async def confirm(self, receipts: Iterable[Receipt]) -> None:
        """Store that the gateway has these receipts."""
        ...

    async def prune(self, *, now: int) -> int:
        """Forget ids whose time has come; say how many."""
        ...

    async def close(self) -> None:
        """Store what is pending and close."""
        ...


@dataclass(slots=True)
class _Row:
    forget_at: int
    open: int
    """Handlers that have no final receipt yet."""
    receipts: tuple[Receipt, ...] = ()


class MemoryInbox:
    """The Inbox of a bot without a state folder: it forgets everything at exit.

    Args:
        limit: ids kept at most; past it the oldest finished ones are forgotten before their time.
    """

    durable = False

    def __init__(self, *, limit: int = 50_000) -> None:
        self._limit = limit
        self._rows: dict[str, _Row] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._rows)

    async def open(self) -> Recovered:
        """Nothing was left."""
        return Recovered()

    async def arrive(self, arrival: Arrival) -> bool:
        """Remember an id; False where it is known."""
        with self._lock:
            if arrival.id in self._rows:
                return False
            self._rows[arrival.id] = _Row(arrival.forget_at, max(1, len(arrival.handlers)))
            if len(self._rows) > self._limit:
                self._shrink()
        return True

    async def start(self, id_: str, handler: str, *, at: int) -> None:
        """A process that ends forgets all, so that there is nothing to store."""

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        """As ``start``."""

    async def finish(self, receipt: Receipt) -> None:
        """Remember a final receipt."""
        with self._lock:
            row = self._rows.get(receipt.signal)
            if row is not None:
                row.open -= 1
                row.receipts = (*row.receipts, receipt)

    async def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of a signal."""
        row = self._rows.get(id_)
        return row.receipts if row is not None else ()

    async def withdraw(self, receipt: Receipt, *, forget_at: int) -> bool:
        """Remember an id that never arrived as withdrawn."""
        with self._lock:
            if receipt.signal in self._rows:
                return False
            self._rows[receipt.signal] = _Row(forget_at, 0, (receipt,))
        return True

    async def confirm(self, receipts: Iterable[Receipt]) -> None:
        """Receipts that are owed are kept by whoever sends them."""

    async def prune(self, *, now: int) -> int:
        """Forget ids past their time."""
        with self._lock:
            old = [id_ for id_, row in self._rows.items() if row.forget_at <= now]
            for id_ in old:
                del self._rows[id_]
        return len(old)

    async def close(self) -> None:
        """Nothing is pending."""

    def _shrink(self) -> None:
        spare = max(1, self._limit // 10)
        finished = [id_ for id_, row in self._rows.items() if row.open <= 0][:spare]
        for id_ in finished:
            del self._rows[id_]
        log.warning(
            "more than %d ids are remembered: forgot the %d oldest finished ones early", self._limit, len(finished)
        )
