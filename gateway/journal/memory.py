"""A journal in memory, for tests and trials: it keeps every promise but the one that matters, the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace

from gateway.errors import NotStored, Refused
from gateway.journal.admission import EQUAL_MEMORY, KEY_MEMORY, place_of_key
from gateway.journal.memory_tables import Row, Tables, admit, delivered, waiting_row
from gateway.journal.model import (
    Accepted,
    Depth,
    Draft,
    Duplicate,
    KnownBot,
    Lane,
    Life,
    Outcome,
    Refusal,
    Station,
    Waiting,
)
from gateway.journal.receiving import UNHANDLED, Place, new_receipts
from gateway.journal.reception import Reception, Unanswered, Unhandled
from gateway.journal.stations import follows_published
from schemas.envelope import complete
from schemas.receipt import Receipt, Stage


class MemoryJournal:
    """See ``gateway.journal.journal.Journal``. It has no budget: it is as large as what it is given.

    Args:
        max_age: seconds that a finished signal is kept.
    """

    def __init__(self, *, max_age: float = 30 * 86_400.0) -> None:
        self._max_age = int(max_age * 1_000_000)
        self._tables = Tables()
        self._receipts: dict[Place, tuple[int, Receipt]] = {}
        self._refusals: list[Refusal] = []
        self._puts: dict[Lane, dict[str, int]] = {}
        self._bots: dict[str, KnownBot] = {}

    async def accept(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate]:
        await asyncio.sleep(0)
        tables = copy(self._tables) if len(drafts) > 1 else self._tables
        results = [
            admit(draft, where=place_of_key(index, of=len(drafts)), tables=tables) for index, draft in enumerate(drafts)
        ]
        self._tables = tables
        return results

    async def accept_each(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate | Refused | NotStored]:
        await asyncio.sleep(0)
        results: list[Accepted | Duplicate | Refused | NotStored] = []
        for draft in drafts:
            try:
                results.append(admit(draft, where=place_of_key(0, of=1), tables=self._tables))
            except Refused as refused:
                results.append(refused)
        return results

    async def refuse(self, refusal: Refusal) -> None:
        self._refusals.append(refusal)

    async def record(self, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
        await asyncio.sleep(0)
        sources = []
        for step in outcomes:
            row = self._tables.rows.get((step.position, step.destination))
            if row is None or not (row.waits or (row.awaits and follows_published(step.station))):
                continue
            if step.station is Station.PUBLISHED and row.waits:
                self._puts.setdefault(row.lane, {})[row.to.topic] = row.accepted.sequence
            row.take(step)
            receipted = {place.bot: at for place, (at, _) in self._receipts.items() if place.signal == step.position}
            answered = step.station is Station.PUBLISHED and receipted and not row.to.once
            if answered and row.answer(receipted, at=max(step.at, *receipted.values())):
                sources.append(row.accepted.draft.source)
        return tuple(sources)

    async def receive(self, receipts: Iterable[Receipt], *, at: int) -> Reception:
        await asyncio.sleep(0)
        come = tuple(receipts)
        positions = {id_: accepted.position for id_, accepted in self._tables.signals.items()}
        new, reception = new_receipts(come, positions=positions, stored=self._receipts.keys())
        self._receipts |= {place: (at, receipt) for place, receipt in new.items()}
        bots: dict[int, set[str]] = {}
        for receipt in come:
            if receipt.signal in positions:
                bots.setdefault(positions[receipt.signal], set()).add(receipt.bot)
        rows = [row for (position, _), row in self._tables.rows.items() if position in bots]
        answered = [row for row in rows if row.awaiting or (row.station is Station.PUBLISHED and not row.to.once)]
        settled = [row for row in answered if row.answer(bots[row.accepted.position], at=at)]
        sources = tuple(row.accepted.draft.source for row in settled)
        return replace(reception, settled=sources, unhandled=self._unhandled(new))

    def _unhandled(self, new: Mapping[Place, Receipt]) -> tuple[Unhandled, ...]:
        found = [receipt for place, receipt in new.items() if place.stage in UNHANDLED]
        drafts = [self._tables.signals[receipt.signal].draft for receipt in found]
        return tuple(
            Unhandled(receipt, draft.source, draft.instrument, draft.effect)
            for receipt, draft in zip(found, drafts, strict=True)
        )

    async def give_up(self, *, before: int, at: int) -> list[Unanswered]:
        ended = [row for row in self._unsettled() if row.awaits and row.accepted.draft.expires_at < before]
        for row in ended:
            row.station, row.at = Station.UNANSWERED, at
            row.reason = f"no receipt from {', '.join(row.awaiting)} by its expiry"
        return [self._unanswered(row) for row in ended]

    def _unanswered(self, row: Row) -> Unanswered:
        draft, position = row.accepted.draft, row.accepted.position
        handled = any(place.signal == position and place.stage == Stage.HANDLED for place in self._receipts)
        return Unanswered(draft.id, draft.source, draft.instrument, draft.effect, row.awaiting, handled)

    async def lanes(self, *, bots: Collection[str] = ()) -> list[Lane]:
        return list(dict.fromkeys(row.lane for row in self._due(bots)))

    async def waiting(self, lane: Lane, *, after: int, limit: int, bots: Collection[str] = ()) -> list[Waiting]:
        rows = (row for row in self._due(bots) if row.lane == lane and row.accepted.position > after)
        return [waiting_row(row) for row in rows][:limit]

    async def last_put(self, lane: Lane) -> dict[str, int]:
        return dict(self._puts.get(lane, {}))

    async def last_reduce(self, lane: Lane) -> int:
        rows = (row for row in self._due(()) if row.lane == lane and row.accepted.draft.effect == "reduce")
        return max((row.accepted.position for row in rows), default=0)

    async def know(self, bots: Iterable[KnownBot]) -> None:
        self._bots |= {bot.name: bot for bot in bots}

    async def known(self) -> list[KnownBot]:
        return sorted(self._bots.values(), key=lambda bot: bot.name)

    async def forget_bot(self, name: str) -> None:
        self._bots.pop(name, None)

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

    async def newest(self, source: str) -> list[Life]:
        last = {one.draft.key: one for one in self._tables.signals.values() if one.draft.source == source}
        return [self._life(accepted) for accepted in sorted(last.values(), key=lambda one: one.position)]

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
        rows = self._due(())
        awaiting = sum(row.awaits for row in self._tables.rows.values())
        return Depth(waiting=len(rows), oldest=rows[0].accepted.draft.accepted_at if rows else None, awaiting=awaiting)

    def trouble(self) -> None:
        """Nothing stands in its way."""

    async def prune(self, *, now: int) -> int:
        kept = {row.accepted.draft.id for row in self._unsettled()}
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

    def _unsettled(self) -> list[Row]:
        return [row for row in self._tables.rows.values() if row.waits or row.awaits]

    def _due(self, bots: Collection[str]) -> list[Row]:
        return [row for row in self._unsettled() if row.waits or not set(bots).isdisjoint(row.awaiting)]

    def _life(self, accepted: Accepted) -> Life:
        draft = accepted.draft
        rows = [self._tables.rows[accepted.position, to.name] for to in draft.destinations]
        previous = next((row.previous for row in rows if row.to.payload is None), None)
        mark = accepted.possible_duplicate_of
        return Life(
            position=accepted.position,
            id=draft.id,
            source=draft.source,
            body=draft.body,
            mode=draft.mode,
            instrument=draft.instrument,
            effect=draft.effect,
            accepted_at=draft.accepted_at,
            expires_at=draft.expires_at,
            envelope=complete(draft.head, sequence=accepted.sequence, previous=previous, possible_duplicate_of=mark),
            deliveries=tuple(map(delivered, sorted(rows, key=lambda row: row.to.name))),
            receipts=tuple(kept for place, kept in self._receipts.items() if place.signal == accepted.position),
            possible_duplicate_of=mark,
        )
