"""The journal in one SQLite file: the embedded default. One writer, on the event loop's own thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from gateway.errors import NotStored, Refused
from gateway.journal.accept import accept, accept_each
from gateway.journal.batch import Batch
from gateway.journal.database import Claim, explained, prepare
from gateway.journal.forget import Budget, forget_aged, forget_rest, make_room
from gateway.journal.group_commit import GroupCommit
from gateway.journal.known_bots import forget, know, read_known
from gateway.journal.lives import read_life, read_lives, read_newest
from gateway.journal.model import (
    Accepted,
    Depth,
    Draft,
    Duplicate,
    JournalSettings,
    KnownBot,
    Lane,
    Life,
    Outcome,
    Refusal,
    Waiting,
)
from gateway.journal.outbox import read_lanes, read_last_reduce, read_oldest, read_puts, read_waiting
from gateway.journal.reception import Reception, Unanswered
from gateway.journal.refusals import Refusals, read_refusals
from gateway.journal.stations import give_up, has_past, receive, record
from gateway.journal.writer import Change, Writer
from schemas.receipt import Receipt

_FUTURE = (1 << 63) - 1
_SECOND = 1_000_000
_RECEIPTS_UP_TO = 0.9
"""The part of max_bytes past which receipts wait for finished signals to make room; the rest is for signals alone."""


def open_journal(settings: JournalSettings, *, clock: Callable[[], int]) -> SqliteJournal:
    """Open the journal, or make it.

    Args:
        settings: where it lives and how much it may hold.
        clock: microseconds since the epoch.

    Raises:
        gateway.errors.Misconfigured: another gateway has it, it is no journal, or it cannot be written.
    """
    path = Path(settings.path)
    claim = Claim(path)
    try:
        with explained(path):
            writer = Writer(path, prepare(path), clock=clock)
    except BaseException:
        claim.release()
        raise
    return SqliteJournal(settings, writer=writer, claim=claim, clock=clock)


class SqliteJournal:
    """See ``gateway.journal.journal.Journal``; ``open_journal`` makes it."""

    def __init__(self, settings: JournalSettings, *, writer: Writer, claim: Claim, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._share = int(settings.share * settings.max_bytes)
        self._max_age = int(settings.max_age * _SECOND)
        self._writer = writer
        self._claim = claim
        self._clock = clock
        self._budget = Budget(settings.max_bytes, clock=clock)
        self._receipts_budget = Budget(int(settings.max_bytes * _RECEIPTS_UP_TO), clock=clock)
        self._refusals = Refusals()
        self._commits: GroupCommit[Change] = GroupCommit(writer.commit)
        self._oldest: tuple[int, int | None] = (0, None)
        self._full = (
            f"The journal {settings.path} is over its {settings.max_bytes} bytes, and nothing in it is finished. See "
            "why signals are not delivered, or raise journal.max_bytes."
        )

    async def accept(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate]:
        if not drafts:
            return []
        stored: list[Accepted | Duplicate] = await self._commits.call(partial(self._accept, drafts), urgent=True)
        return stored

    def _accept(
        self, drafts: Sequence[Draft], batch: Batch, database: sqlite3.Connection
    ) -> list[Accepted | Duplicate]:
        self._make_sure_of_room(batch, database)
        return accept(drafts, batch=batch, share=self._share)

    async def accept_each(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate | Refused | NotStored]:
        if not drafts:
            return []
        stored: list[Accepted | Duplicate | Refused | NotStored] = await self._commits.call(
            partial(self._accept_each, drafts), urgent=True
        )
        return stored

    def _accept_each(
        self, drafts: Sequence[Draft], batch: Batch, database: sqlite3.Connection
    ) -> list[Accepted | Duplicate | Refused | NotStored]:
        self._make_sure_of_room(batch, database)
        return accept_each(drafts, batch=batch, share=self._share)

    def _make_sure_of_room(self, batch: Batch, database: sqlite3.Connection) -> None:
        if batch.room is None:
            batch.room = self._budget.has_room(database)
        if not batch.room:
            raise NotStored("share", self._full)

    async def refuse(self, refusal: Refusal) -> None:
        await self._commits.call(lambda _, database: self._refusals.add(refusal, database=database), urgent=True)

    async def record(self, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
        steps = tuple(outcomes)
        if not steps:
            return ()
        receipted: tuple[str, ...] = await self._commits.call(
            lambda batch, database: record(steps, batch=batch, database=database), urgent=False
        )
        return receipted

    async def receive(self, receipts: Iterable[Receipt], *, at: int) -> Reception:
        come = tuple(receipts)
        if not come:
            return Reception()
        reception: Reception = await self._commits.call(partial(self._receive, come, at), urgent=False)
        return reception

    def _receive(self, receipts: Sequence[Receipt], at: int, batch: Batch, database: sqlite3.Connection) -> Reception:
        if not self._receipts_budget.has_room(database):
            raise NotStored("share", self._full)
        return receive(receipts, at=at, batch=batch, database=database)

    async def give_up(self, *, before: int, at: int) -> list[Unanswered]:
        if not self._writer.read(partial(has_past, before=before)):
            return []
        ended: list[Unanswered] = await self._commits.call(
            lambda batch, database: give_up(before=before, at=at, batch=batch, database=database), urgent=False
        )
        return ended

    async def lanes(self, *, bots: Collection[str] = ()) -> list[Lane]:
        return self._writer.read(lambda database: read_lanes(bots=bots, database=database))

    async def waiting(self, lane: Lane, *, after: int, limit: int, bots: Collection[str] = ()) -> list[Waiting]:
        return self._writer.read(
            lambda database: read_waiting(lane, after=after, limit=limit, bots=bots, database=database)
        )

    async def last_put(self, lane: Lane) -> dict[str, int]:
        return self._writer.read(lambda database: read_puts(lane, database=database))

    async def last_reduce(self, lane: Lane) -> int:
        return self._writer.read(lambda database: read_last_reduce(lane, database=database))

    async def know(self, bots: Iterable[KnownBot]) -> None:
        seen = tuple(bots)
        await self._commits.call(lambda _, database: know(seen, database=database), urgent=False)

    async def known(self) -> list[KnownBot]:
        return self._writer.read(read_known)

    async def forget_bot(self, name: str) -> None:
        await self._commits.call(lambda _, database: forget(name, database=database), urgent=False)

    async def life(self, id_: str) -> Life | None:
        return self._writer.read(lambda database: read_life(id_, database=database))

    async def lives(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Life]:
        end = _FUTURE if before is None else min(before, _FUTURE)
        return self._writer.read(lambda database: read_lives(source=source, before=end, limit=limit, database=database))

    async def newest(self, source: str) -> list[Life]:
        return self._writer.read(partial(read_newest, source))

    async def refusals(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Refusal]:
        end = _FUTURE if before is None else min(before, _FUTURE)
        return self._writer.read(
            lambda database: read_refusals(source=source, before=end, limit=limit, database=database)
        )

    def depth(self) -> Depth:
        waiting, awaiting = self._writer.ledger.waiting, self._writer.ledger.awaiting
        if not waiting:
            return Depth(waiting=0, oldest=None, awaiting=awaiting)
        now = self._clock()
        read_at, oldest = self._oldest
        if oldest is None or not 0 <= now - read_at < _SECOND:
            with suppress(NotStored):  # what was known last is the best answer while the disk is away
                oldest = self._writer.read(read_oldest)
            self._oldest = (now, oldest)
        return Depth(waiting=waiting, oldest=oldest, awaiting=awaiting)

    def trouble(self) -> str | None:
        return self._writer.trouble or (self._full if self._budget.full else None)

    async def prune(self, *, now: int) -> int:
        max_bytes = self._settings.max_bytes
        aged = await self._forget(lambda _, database: forget_aged(now=now, max_age=self._max_age, database=database))
        large = await self._forget(lambda _, database: make_room(now=now, max_bytes=max_bytes, database=database))
        await self._forget(self._forget_rest(now))
        await self._commits.call(lambda _, database: self._budget.has_room(database), urgent=True)
        return aged + large

    def _forget_rest(self, now: int) -> Change:
        def change(batch: Batch, database: sqlite3.Connection) -> int:
            self._writer.ledger.forget()
            return forget_rest(now=now, max_age=self._max_age, batch=batch, database=database)

        return change

    async def _forget(self, chunk: Change) -> int:
        """Forget chunk by chunk, each in a commit with what others ask for, until nothing is left to forget."""
        forgotten = 0
        while count := await self._commits.call(chunk, urgent=True):
            forgotten += count
        return forgotten

    async def close(self) -> None:
        self._commits.close()
        self._writer.close()
        self._claim.release()
