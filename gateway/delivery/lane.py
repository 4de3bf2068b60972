"""A lane in memory: the rows of one partition key on their way to one destination, the oldest at the head."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gateway.journal.model import Accepted, Lane, Waiting


@dataclass(slots=True)
class Queue:
    """The head of a lane; what does not fit stays in the journal.

    Args:
        rows: loaded rows, oldest first.
        more: whether the journal may hold rows behind the loaded ones.
        loaded_to: the position of the last row that was loaded.
        last_put: the sequence last put on the lane's topic.
        known: whether ``last_put`` and the journal's rows were read.
        in_flight: whether the head was published and not yet answered.
        retry_at: microseconds before which the head is not tried again.
        drops: how often the connection ended while the head was the only publish in flight.
        suspect: whether the head was in flight when a connection ended.
        used_at: microseconds of the last change.
    """

    lane: Lane
    rows: deque[Waiting] = field(default_factory=deque)
    more: bool = True
    loaded_to: int = -1
    last_put: int | None = None
    known: bool = False
    loading: bool = False
    queued: bool = False
    in_flight: bool = False
    attempts: int = 0
    retry_at: int = 0
    drops: int = 0
    suspect: bool = False
    used_at: int = 0

    @property
    def head(self) -> Waiting | None:
        """The row whose turn it is."""
        return self.rows[0] if self.rows else None

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        return not self.rows and not self.more and not self.in_flight and not self.loading

    def append(self, row: Waiting, *, room: bool) -> None:
        """Take a row that was just committed, or leave it to the journal: no room, or older rows are there."""
        if row.position <= self.loaded_to:
            return
        if self.more or self.loading or not room:
            self.more = True
            return
        self.rows.append(row)
        self.loaded_to = row.position

    def load(self, rows: list[Waiting], *, complete: bool) -> None:
        """Take rows from the journal; ``complete`` says that there were no more."""
        for row in rows:
            if row.position > self.loaded_to:
                self.rows.append(row)
                self.loaded_to = row.position
        self.more = not complete

    def finish(self) -> Waiting:
        """Take the head away: its outcome is known."""
        self.in_flight = self.suspect = False
        self.attempts = self.retry_at = self.drops = 0
        return self.rows.popleft()


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
