"""The tables of the journal in memory: rows of the outbox and how they move, and which drafts are new."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from gateway.journal.admission import Earlier, next_sequence, repeated_body, repeated_key
from gateway.journal.model import Accepted, Delivered, Destination, Draft, Duplicate, Lane, Outcome, Station, Waiting


@dataclass(slots=True, kw_only=True)
class Row:
    """One destination of one signal."""

    accepted: Accepted
    to: Destination
    station: Station = Station.WAITING
    at: int
    reason: str = ""
    attempts: int = 0
    previous: int | None = None
    published_at: int | None = None
    awaiting: tuple[str, ...] = ()

    @property
    def lane(self) -> Lane:
        return Lane(self.to.name, self.accepted.draft.key)

    @property
    def waits(self) -> bool:
        """Whether the broker does not have it."""
        return not self.station.final

    @property
    def awaits(self) -> bool:
        """Whether the broker has it, and some bot has not."""
        return self.station is Station.PUBLISHED and bool(self.awaiting)

    def take(self, step: Outcome) -> None:
        """Move a step."""
        self.station, self.at, self.reason, self.attempts = step.station, step.at, step.reason, step.attempts
        self.previous = self.previous if step.previous is None else step.previous
        self.awaiting = step.awaiting
        if step.station is Station.PUBLISHED and self.published_at is None:
            self.published_at = step.at

    def answer(self, bots: Collection[str], *, at: int) -> bool:
        """Take bots that sent receipts off those that are awaited; whether none is left."""
        self.awaiting = tuple(bot for bot in self.awaiting if bot not in bots)
        if not self.awaiting:
            self.station, self.reason, self.at = Station.RECEIPTED, "", at
        return not self.awaiting


@dataclass(slots=True, kw_only=True)
class Tables:
    """All that is accepted; copied whole by a call that is all or nothing."""

    signals: dict[str, Accepted] = field(default_factory=dict)
    rows: dict[tuple[int, str], Row] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    keyed: dict[tuple[str, str], Earlier] = field(default_factory=dict)
    equals: dict[tuple[str, bytes], tuple[Earlier, ...]] = field(default_factory=dict)
    position: int = 0

    def __copy__(self) -> Tables:
        return Tables(
            signals=self.signals.copy(),
            rows=self.rows.copy(),
            sequences=self.sequences.copy(),
            keyed=self.keyed.copy(),
            equals=self.equals.copy(),
            position=self.position,
        )


def admit(draft: Draft, *, where: str, tables: Tables) -> Accepted | Duplicate:
    """Store a draft that is new."""
    identity = draft.identity
    this = Earlier(draft.id, draft.accepted_at, identity.fingerprint)
    first: Earlier | None = None
    if identity.key is not None:
        place = (draft.source, identity.key)
        if duplicate := repeated_key(draft, tables.keyed.get(place), where=where):
            return duplicate
        tables.keyed[place] = this
    else:
        equal = (draft.source, identity.fingerprint)
        judged = repeated_body(draft, tables.equals.get(equal, ()))
        if isinstance(judged, Duplicate):
            return judged
        first = judged
        tables.equals[equal] = (first, this) if first else (this,)
    return _store(draft, first=first, tables=tables)


def _store(draft: Draft, *, first: Earlier | None, tables: Tables) -> Accepted:
    tables.position += 1
    sequence = next_sequence(draft, last=tables.sequences.get(draft.key, 0))
    tables.sequences[draft.key] = sequence
    accepted = Accepted(
        position=tables.position, draft=draft, sequence=sequence, possible_duplicate_of=first.id if first else None
    )
    tables.signals[draft.id] = accepted
    for to in draft.destinations:
        tables.rows[accepted.position, to.name] = Row(accepted=accepted, to=to, at=draft.accepted_at)
    return accepted


def delivered(row: Row) -> Delivered:
    """A row as a life shows it."""
    return Delivered(
        destination=row.to.name,
        topic=row.to.topic,
        station=row.station,
        at=row.at,
        reason=row.reason,
        attempts=row.attempts,
        published_at=row.published_at,
        awaiting=row.awaiting,
    )


def waiting_row(row: Row) -> Waiting:
    """A row as delivery takes it."""
    draft, whole = row.accepted.draft, row.to.payload is None
    return Waiting(
        position=row.accepted.position,
        lane=row.lane,
        id=draft.id,
        source=draft.source,
        body=draft.body,
        effect=draft.effect,
        topic=row.to.topic,
        payload=draft.head if row.to.payload is None else row.to.payload,
        sequence=row.accepted.sequence if whole else None,
        accepted_at=draft.accepted_at,
        expires_at=draft.expires_at,
        once=row.to.once,
        possible_duplicate_of=row.accepted.possible_duplicate_of,
        previous=row.previous,
        put=row.published_at is not None or row.previous is not None,
        publishing=row.station is Station.PUBLISHING,
        attempts=row.attempts,
        awaiting=row.awaiting,
    )
