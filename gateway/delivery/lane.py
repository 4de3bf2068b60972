"""A lane in memory: the rows of one partition key on their way to one destination, the oldest at the head."""

from __future__ import annotations

from collections import deque
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
    IN_FLIGHT = auto()


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
class Queue:
    """The head of a lane; what does not fit stays in the journal.

    Args:
        rows: loaded rows, oldest first.
        more: whether the journal may hold rows behind the loaded ones.
        loaded_to: the position of the last row that was loaded.
        known: whether ``last_put`` was read.
        last_put: the sequence last put on the lane's topic.
        unheard: how often nobody heard the head.
        losses: how often the connection ended while the head was in flight.
        drops: how often it did so at once, with a healthy connection and nothing else in flight.
        retry_at: the timer's second before which the head is not tried again.
        used_at: the timer's second of the last signal.
    """

    lane: Lane
    place: Place = Place.IDLE
    rows: deque[Row] = field(default_factory=deque)
    more: bool = True
    loaded_to: int = -1
    known: bool = False
    last_put: int | None = None
    unheard: int = 0
    losses: int = 0
    drops: int = 0
    retry_at: float = 0.0
    used_at: float = 0.0

    @property
    def head(self) -> Row | None:
        """The row whose turn it is."""
        return self.rows[0] if self.rows else None

    def append(self, row: Row, *, room: bool) -> bool:
        """Take a row that was just committed; False where it is left to the journal."""
        position = row.waiting.position
        if position <= self.loaded_to:
            return False
        if self.more or self.place is Place.LOADING or not room:
            self.more = True
            return False
        self.rows.append(row)
        self.loaded_to = position
        return True

    def load(self, rows: list[Row]) -> None:
        """Take rows from the journal."""
        for row in rows:
            self.rows.append(row)
            self.loaded_to = row.waiting.position

    def read_again(self) -> None:
        """Look through the whole lane in the journal once more; only where nothing of it is in memory."""
        self.more, self.loaded_to = True, -1

    def finish(self) -> Waiting:
        """Take the head away: its outcome is known."""
        self.unheard = self.losses = self.drops = 0
        self.retry_at = 0.0
        return self.rows.popleft().waiting


@dataclass(slots=True)
class Flight:
    """A publish that is not answered yet: of which lane, behind which number, and whether nothing was beside it."""

    queue: Queue
    previous: int | None
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
