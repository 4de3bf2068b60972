"""A lane in memory: the rows of one partition key on their way to one destination, the oldest at the head."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from gateway.journal.model import Accepted, Lane, Waiting


class Place(Enum):
    """Where a lane is in the delivery; it is in one place at a time."""

    IDLE = auto()
    LOADING = auto()
    READY = auto()
    SUSPECT = auto()
    PAUSED = auto()
    HELD = auto()
    AWAY = auto()
    IN_FLIGHT = auto()
    REWINDING = auto()


@dataclass(slots=True)
class Row:
    """A loaded row, and the timer's second at which it expires whatever the clock says.

    A clock that is set back must not make a signal young again.
    """

    waiting: Waiting
    deadline: float

    def late(self, *, now: int, timer: float) -> bool:
        """Whether it expired, by the clock (microseconds) or by the timer (seconds)."""
        return now >= self.waiting.expires_at or timer >= self.deadline


@dataclass(slots=True)
class Trial:
    """What stood in a row's way so far.

    Args:
        unheard: how often nobody heard it.
        losses: how often the connection ended while it was in flight.
        drops: how often it did so at once, with a healthy connection and nothing else in flight.
        retry_at: the timer's second before which it is not tried again.
        absent: the stock bot that it waited for and that was not there; empty for none.
        held: why it does not go on; empty while it may.
        held_since: the timer's second since when.
        told: whether the journal was told that it is held.
    """

    unheard: int = 0
    losses: int = 0
    drops: int = 0
    retry_at: float = 0.0
    absent: str = ""
    held: str = ""
    held_since: float = 0.0
    told: bool = False

    def hold(self, reason: str, *, timer: float) -> None:
        """Note what it waits for."""
        if not self.held:
            self.held_since = timer
        self.held = reason

    def held_for(self, *, timer: float) -> float:
        """Seconds for which it does not go on."""
        return timer - self.held_since if self.held else 0.0


_UNTRIED = Trial()


@dataclass(slots=True)
class Queue:
    """The head of a lane; what does not fit stays in the journal.

    Args:
        rows: loaded rows, oldest first.
        more: whether the journal may hold rows behind the loaded ones.
        loaded_to: the position of the last row that was loaded.
        known: whether ``last_put`` and ``reduced_to`` were read.
        last_put: the sequence last put on each topic.
        reduced_to: the position of the newest row that reduces: opens before it that were never put are pointless.
        trials: by position, what stood in the way of rows.
        passed: bots that were not sent a row again, and so get no later one before the lane is read again.
        rewind: whether it is to begin again with the oldest row that some bot has not receipted.
        used_at: the timer's second of the last signal.
    """

    lane: Lane
    place: Place = Place.IDLE
    rows: deque[Row] = field(default_factory=deque)
    more: bool = True
    loaded_to: int = -1
    known: bool = False
    last_put: dict[str, int] = field(default_factory=dict)
    reduced_to: int = 0
    trials: dict[int, Trial] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    rewind: bool = False
    used_at: float = 0.0

    @property
    def head(self) -> Row | None:
        """The row whose turn it is."""
        return self.rows[0] if self.rows else None

    @property
    def trial(self) -> Trial:
        """What stood in the head's way so far; to be read only."""
        return self.trials.get(self.rows[0].waiting.position, _UNTRIED) if self.trials and self.rows else _UNTRIED

    def try_(self) -> Trial:
        """What stood in the head's way so far, to be changed."""
        return self.trials.setdefault(self.rows[0].waiting.position, Trial())

    def append(self, row: Row, *, room: bool) -> bool:
        """Take a row that was just committed; False where it is left to the journal."""
        waiting = row.waiting
        if waiting.effect == "reduce":
            self.reduced_to = max(self.reduced_to, waiting.position)
        if waiting.position <= self.loaded_to:
            return False
        if self.more or self.rewind or self.place in {Place.LOADING, Place.AWAY} or not room:
            self.more = True
            return False
        self.rows.append(row)
        self.loaded_to = waiting.position
        return True

    def load(self, rows: Iterable[Row]) -> None:
        """Take rows from the journal."""
        for row in rows:
            self.rows.append(row)
            self.loaded_to = row.waiting.position

    def shed(self) -> int:
        """Leave all rows but the head to the journal; how many left the memory."""
        shed = len(self.rows) - 1
        for _ in range(shed):
            self.rows.pop()
            self.more, self.loaded_to = True, self.rows[0].waiting.position
        return shed

    def read_again(self) -> int:
        """Look through the whole lane in the journal once more; how many rows leave the memory for that."""
        dropped = len(self.rows)
        self.rows.clear()
        self.passed.clear()
        self.rewind = False
        self.more, self.loaded_to = True, -1
        return dropped

    @property
    def reduces(self) -> bool:
        """Whether the head, or a signal behind it, reduces a position."""
        return bool(self.rows) and self.rows[0].waiting.position <= self.reduced_to

    @property
    def superseded(self) -> bool:
        """Whether the head opens what a later signal, already accepted, closes; what may be at the broker does not."""
        head = self.rows[0].waiting
        unput = not head.put and not self.trial.losses
        return head.effect == "open" and unput and head.position < self.reduced_to

    def begun(self, id_: str) -> bool:
        """Whether the broker has a row of the memory, or may have it."""
        if self.place is Place.IN_FLIGHT and self.rows[0].waiting.id == id_:
            return True
        rows = (row.waiting for row in self.rows if row.waiting.id == id_)
        return any(row.put or self.trials.get(row.position, _UNTRIED).losses for row in rows)

    def drop(self, id_: str) -> int:
        """Take a row out of the memory that was ended on disk; how many left."""
        gone = [row for row in self.rows if row.waiting.id == id_]
        for row in gone:
            self.rows.remove(row)
            self.trials.pop(row.waiting.position, None)
        return len(gone)

    def finish(self) -> Waiting:
        """Take the head away: it is settled, or others see to it."""
        row = self.rows.popleft().waiting
        self.trials.pop(row.position, None)
        return row


@dataclass(slots=True)
class Flight:
    """A publish that is not answered yet.

    Args:
        queue: its lane.
        previous: the number that it names as put before it.
        awaiting: the bots that are expected to receipt it.
        alone: whether nothing was beside it.
    """

    queue: Queue
    previous: int | None
    awaiting: tuple[str, ...]
    sent_at: float
    alone: bool


def row_of(signal: Accepted, lane: Lane) -> Waiting:
    """The outbox row of a signal that was just committed, as the journal would give it."""
    draft = signal.draft
    destination = next(d for d in draft.destinations if d.name == lane.destination)
    own = destination.payload is None
    return Waiting(
        position=signal.position,
        lane=lane,
        id=draft.id,
        source=draft.source,
        body=draft.body,
        effect=draft.effect,
        topic=destination.topic,
        payload=draft.head if own else destination.payload or b"",
        sequence=signal.sequence if own else None,
        accepted_at=draft.accepted_at,
        expires_at=draft.expires_at,
        once=destination.once,
        possible_duplicate_of=signal.possible_duplicate_of,
    )
