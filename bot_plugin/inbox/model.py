"""What every inbox promises, and what goes into it and comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from schemas.receipt import Receipt

KEEP_AFTER_EXPIRY = 3_600_000_000
"""Microseconds that an id is kept past its expiry."""

KEEP_MOST = 32 * 86_400_000_000
"""Microseconds that an id is kept at most, whatever its expiry says."""

PRUNE_MOST = 1000
"""Ids that are forgotten at once: some milliseconds."""

WITHDRAWN = "the prediction was withdrawn"
"""Why a prediction that an operator stopped counts no more."""

Tell = Callable[[OSError | None], None]
"""Is told that something is stored, or why it never will be."""


def forget_at(expires_at: int, *, now: int) -> int:
    """When the id of a signal may be forgotten: in an hour at least, also where this clock says that it expired.

    Args:
        expires_at: microseconds since the epoch.
        now: microseconds since the epoch.
    """
    return min(max(expires_at, now) + KEEP_AFTER_EXPIRY, now + KEEP_MOST)


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
        sequence: its place within its topic; 0 where it could not be read.
        forget_at: when its id may be forgotten.
        series: which of its topic's predictions follow one another; None where it is no prediction.
        ended: why a prediction counts no more, though it may not have run out; None where it does.
    """

    id: str
    topic: str
    payload: bytes = field(repr=False)
    handlers: tuple[str, ...]
    sequence: int = 0
    received_at: int
    forget_at: int
    series: str | None = None
    ended: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A signal that an earlier process left.

    Args:
        steps: how far each of its handlers was.
        started: when those that were started were, by the bot's clock.
        orders: by handler, the ids of the orders that followed.
    """

    arrival: Arrival
    steps: Mapping[str, Step]
    started: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an earlier process left.

    Args:
        unfinished: signals to run or to report, in the order of their sequence.
        owed: final receipts that the gateway has not confirmed.
        sequences: by topic, the highest sequence that was started or had ended; kept for 7 days, of 10,000 topics.
        predictions: the newest of each topic and series, those that ran out in the last hour among them.
    """

    unfinished: tuple[Unfinished, ...] = ()
    owed: tuple[Receipt, ...] = ()
    sequences: Mapping[str, int] = field(default_factory=dict)
    predictions: tuple[Arrival, ...] = ()


class Inbox(Protocol):
    """The bot's memory.

    What is told to it holds at once, in the order in which it was told; ``stored`` returns when all of that is stored,
    so that many calls share one commit. Whatever raises OSError says that the inbox stores nothing any more: the run
    must end. But for ``start_now`` it is used in the loop that opened it.
    """

    @property
    def durable(self) -> bool:
        """Whether it survives this process."""
        ...

    async def open(self) -> Recovered:
        """Make it ready, and say what an earlier process left.

        Raises:
            SettingsError: it cannot be used; it names the path, and what to do.
        """
        ...

    def arrive(self, arrival: Arrival) -> bool:
        """Take a signal as seen; False, with nothing changed, where its id is known.

        The newest prediction of its topic and series is there after a restart, whoever wants it.

        Raises:
            InboxFull: no id may be forgotten for it; nothing was changed.
        """
        ...

    def start(self, id_: str, handler: str, *, at: int) -> None:
        """A handler is about to be called."""
        ...

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        """As ``start``, and stored when it returns; on any thread, for a strategy that looks when it ticks."""
        ...

    def put_back(self, id_: str, handler: str) -> None:
        """A handler that was about to be called was not: the signal waits for it again."""
        ...

    def placed(self, id_: str, handler: str, orders: tuple[str, ...]) -> None:
        """These are the orders that followed a signal in a handler."""
        ...

    def finish(self, receipt: Receipt) -> None:
        """A handler ended, with its final receipt; the signal as a whole, where the receipt names no handler.

        After that, once for each handler, a receipt of the stage *filled*.
        """
        ...

    def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of a signal, to repeat them."""
        ...

    def withdraw(self, receipt: Receipt, *, forget_at: int) -> bool:
        """A signal must not be run any more; False where its id is known: then a prediction counts no more.

        Raises:
            InboxFull: as ``arrive`` does.
        """
        ...

    def confirm(self, receipts: Iterable[Receipt]) -> None:
        """The gateway has these receipts."""
        ...

    def prune(self) -> int:
        """Forget some of the ids whose time has come, whatever a clock says that was set; say how many."""
        ...

    async def stored(self) -> None:
        """Return, soon, when all that was told is stored."""
        ...

    def when_stored(self, tell: Tell) -> None:
        """Be told, within some milliseconds, when all that was told by now is stored."""
        ...

    async def close(self) -> None:
        """Store what is pending and close."""
        ...
