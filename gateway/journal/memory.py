"""A journal in memory, for tests and trials: it keeps every promise but the one that matters, the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field

from gateway.journal.admission import (
    EQUAL_MEMORY,
    KEY_MEMORY,
    Earlier,
    next_sequence,
    place_of_key,
    repeated_body,
    repeated_key,
)
from gateway.journal.model import (
    Accepted,
    Delivered,
    Depth,
    Destination,
    Draft,
    Duplicate,
    Lane,
    Life,
    Outcome,
    Refusal,
    Station,
    Waiting,
)
from gateway.journal.receiving import LeftOut, Place, new_receipts
from schemas.envelope import complete
from schemas.receipt import Receipt


@dataclass(slots=True, kw_only=True)
class _Row:
    """One destination of one signal."""

    accepted: Accepted
    to: Destination
    station: Station = Station.WAITING
    at: int
    reason: str = ""
    attempts: int = 0
    previous: int | None = None

    @property
    def lane(self) -> Lane:
        return Lane(self.to.name, self.accepted.draft.key)


@dataclass(slots=True, kw_only=True)
class _Tables:
    """All that is accepted; copied whole by a call that is all or nothing."""

    signals: dict[str, Accepted] = field(default_factory=dict)
    rows: dict[tuple[int, str], _Row] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    keyed: dict[tuple[str, str], Earlier] = field(default_factory=dict)
    equals: dict[tuple[str, bytes], tuple[Earlier, ...]] = field(default_factory=dict)
    position: int = 0

    def __copy__(self) -> _Tables:
        return _Tables(
            signals=self.signals.copy(),
            rows=self.rows.copy(),
            sequences=self.sequences.copy(),
            keyed=self.keyed.copy(),
            equals=self.equals.copy(),
            position=self.position,
        )


class MemoryJournal:
    """See ``gateway.journal.model.Journal``. It has no budget: it is as large as what it is given.

    Args:
        max_age: seconds that a finished signal is kept.
    """

    def __init__(self, *, max_age: float = 30 * 86_400.0) -> None:
        self._max_age = int(max_age * 1_000_000)
        self._tables = _Tables()
        self._receipts: dict[Place, tuple[int, Receipt]] = {}
        self._refusals: list[Refusal] = []
        self._puts: dict[Lane, int] = {}

    async def accept(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate]:
        await asyncio.sleep(0)
        tables = copy(self._tables) if len(drafts) > 1 else self._tables
        results = [
            _admit(draft, where=place_of_key(index, of=len(drafts)), tables=tables)
            for index, draft in enumerate(drafts)
        ]
        self._tables = tables
        return results

    async def refuse(self, refusal: Refusal) -> None:
        self._refusals.append(refusal)

    async def record(self, outcomes: Iterable[Outcome]) -> None:
        await asyncio.sleep(0)
        for step in outcomes:
            row = self._tables.rows.get((step.position, step.destination))
            if row is None or row.station.final:
                continue
            row.station, row.at, row.reason, row.attempts = step.station, step.at, step.reason, step.attempts
            row.previous = row.previous if step.previous is None else step.previous
            if step.station is Station.PUBLISHED:
                self._puts[row.lane] = row.accepted.sequence

    async def receive(self, receipts: Iterable[Receipt], *, at: int) -> LeftOut:
        await asyncio.sleep(0)
        positions = {id_: accepted.position for id_, accepted in self._tables.signals.items()}
        new, left_out = new_receipts(receipts, positions=positions, stored=self._receipts.keys())
        self._receipts |= {place: (at, receipt) for place, receipt in new.items()}
        return left_out

    async def lanes(self) -> list[Lane]:
        return list(dict.fromkeys(row.lane for row in self._unfinished()))

    async def waiting(self, lane: Lane, *, after: int, limit: int) -> list[Waiting]:
        rows = (row for row in self._unfinished() if row.lane == lane and row.accepted.position > after)
        return [_waiting(row) for row in rows][:limit]

    async def last_put(self, lane: Lane) -> int | None:
        return self._puts.get(lane)

    async def life(self, id_: str) -> Life | None:
        accepted = self._tables.signals.get(id_)
        return self._life(accepted) if accepted else None

    async def lives(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Life]:
        found = [
            accepted
            for accepted in self._tables.signals.values()
            if source in {None, accepted.draft.source} and (before is None or accepted.draft.accepted_at < before)
        ]
        found.sort(key=lambda accepted: (-accepted.draft.accepted_at, -accepted.position))
        last = found[:limit][-1].draft.accepted_at if found else 0
        return [self._life(accepted) for accepted in found if accepted.draft.accepted_at >= last]

    async def refusals(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Refusal]:
        found = [
            refusal
            for refusal in reversed(self._refusals)
            if source in {None, refusal.source} and (before is None or refusal.at < before)
        ]
        found.sort(key=lambda refusal: -refusal.at)
        last = found[:limit][-1].at if found else 0
        return [refusal for refusal in found if refusal.at >= last]

    def depth(self) -> Depth:
        rows = self._unfinished()
        return Depth(waiting=len(rows), oldest=rows[0].accepted.draft.accepted_at if rows else None)

    def trouble(self) -> None:
        """Nothing stands in its way."""

    async def prune(self, *, now: int) -> int:
        kept = {row.accepted.draft.id for row in self._unfinished()}
        before = now - max(self._max_age, EQUAL_MEMORY)
        aged = [
            accepted
            for accepted in self._tables.signals.values()
            if accepted.draft.accepted_at < before
            and accepted.draft.expires_at <= now
            and accepted.draft.id not in kept
            and accepted.position < self._tables.position
        ]
        for accepted in aged:
            self._forget(accepted)
        keyed = self._tables.keyed.items()
        self._tables.keyed = {place: earlier for place, earlier in keyed if earlier.at >= now - KEY_MEMORY}
        self._refusals = [refusal for refusal in self._refusals if refusal.at >= now - self._max_age]
        return len(aged)

    async def close(self) -> None:
        """Nothing is open."""

    def _forget(self, accepted: Accepted) -> None:
        del self._tables.signals[accepted.draft.id]
        self._receipts = {place: kept for place, kept in self._receipts.items() if place.signal != accepted.position}
        for destination in accepted.draft.destinations:
            del self._tables.rows[accepted.position, destination.name]

    def _unfinished(self) -> list[_Row]:
        return [row for row in self._tables.rows.values() if not row.station.final]

    def _life(self, accepted: Accepted) -> Life:
        draft = accepted.draft
        rows = [self._tables.rows[accepted.position, to.name] for to in draft.destinations]
        previous = next((row.previous for row in rows if row.to.payload is None), None)
        mark = accepted.possible_duplicate_of
        return Life(
            id=draft.id,
            source=draft.source,
            body=draft.body,
            mode=draft.mode,
            instrument=draft.instrument,
            effect=draft.effect,
            accepted_at=draft.accepted_at,
            expires_at=draft.expires_at,
            envelope=complete(draft.head, sequence=accepted.sequence, previous=previous, possible_duplicate_of=mark),
            deliveries=tuple(map(_delivered, sorted(rows, key=lambda row: row.to.name))),
            receipts=tuple(kept for place, kept in self._receipts.items() if place.signal == accepted.position),
            possible_duplicate_of=mark,
        )


def _admit(draft: Draft, *, where: str, tables: _Tables) -> Accepted | Duplicate:
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


def _store(draft: Draft, *, first: Earlier | None, tables: _Tables) -> Accepted:
    tables.position += 1
    sequence = next_sequence(draft, last=tables.sequences.get(draft.key, 0))
    tables.sequences[draft.key] = sequence
    accepted = Accepted(
        position=tables.position, draft=draft, sequence=sequence, possible_duplicate_of=first.id if first else None
    )
    tables.signals[draft.id] = accepted
    for to in draft.destinations:
        tables.rows[accepted.position, to.name] = _Row(accepted=accepted, to=to, at=draft.accepted_at)
    return accepted


def _delivered(row: _Row) -> Delivered:
    return Delivered(
        destination=row.to.name,
        topic=row.to.topic,
        station=row.station,
        at=row.at,
        reason=row.reason,
        attempts=row.attempts,
    )


def _waiting(row: _Row) -> Waiting:
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
        put=row.attempts > 0,
        publishing=row.station is Station.PUBLISHING,
        attempts=row.attempts,
    )
