"""The journal in one SQLite file: the embedded default. One writer, on the event loop's own thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import NotStored, Refused
from gateway.journal.accept import accept
from gateway.journal.batch import Batch
from gateway.journal.database import Claim, connect, prepare, unwritable
from gateway.journal.forget import CHUNK, forget_aged, forget_rest, make_room
from gateway.journal.group_commit import GroupCommit
from gateway.journal.ledger import Ledger
from gateway.journal.lives import read_life, read_lives
from gateway.journal.model import (
    Accepted,
    Depth,
    Draft,
    Duplicate,
    JournalSettings,
    Lane,
    Life,
    Outcome,
    Refusal,
    Waiting,
)
from gateway.journal.outbox import read_lanes, read_oldest, read_put, read_waiting
from gateway.journal.refusals import Refusals, read_refusals
from gateway.journal.stations import receive, record
from schemas.receipt import Receipt

_FUTURE = (1 << 63) - 1
_SECOND = 1_000_000

Change = Callable[[Batch, sqlite3.Connection], Any]
T = TypeVar("T")


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
        return SqliteJournal(settings, clock=clock, claim=claim, database=prepare(path))
    except BaseException:
        claim.release()
        raise


class SqliteJournal:
    """See ``gateway.journal.model.Journal``. ``open_journal`` makes it."""

    def __init__(
        self, settings: JournalSettings, *, clock: Callable[[], int], claim: Claim, database: sqlite3.Connection
    ) -> None:
        self._settings = settings
        self._path = Path(settings.path)
        self._max_age = int(settings.max_age * _SECOND)
        self._clock = clock
        self._claim = claim
        self._open: sqlite3.Connection | None = database
        self._ledger = Ledger(self._database, now=clock())
        self._refusals = Refusals()
        self._commits: GroupCommit[Change] = GroupCommit(self._commit)
        self._oldest: tuple[int, int | None] = (0, None)

    async def accept(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate]:
        if not drafts:
            return []
        stored: list[Accepted | Duplicate] = await self._commits.call(
            partial(self._accept, drafts=tuple(drafts)), urgent=True
        )
        return stored

    async def refuse(self, refusal: Refusal) -> None:
        await self._commits.call(partial(self._refuse, refusal=refusal), urgent=True)

    async def record(self, outcomes: Iterable[Outcome]) -> None:
        steps = tuple(outcomes)
        if steps:
            await self._commits.call(partial(_record, outcomes=steps), urgent=False)

    async def receive(self, receipts: Iterable[Receipt], *, at: int) -> None:
        come = tuple(receipts)
        if come:
            await self._commits.call(partial(_receive, receipts=come, at=at), urgent=False)

    async def lanes(self) -> list[Lane]:
        return self._read(read_lanes)

    async def waiting(self, lane: Lane, *, after: int, limit: int) -> list[Waiting]:
        return self._read(lambda database: read_waiting(lane, after=after, limit=limit, database=database))

    async def last_put(self, lane: Lane) -> int | None:
        return self._read(lambda database: read_put(lane, database=database))

    async def life(self, id_: str) -> Life | None:
        return self._read(lambda database: read_life(id_, database=database))

    async def lives(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Life]:
        end = _FUTURE if before is None else before
        return self._read(lambda database: read_lives(source=source, before=end, limit=limit, database=database))

    async def refusals(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Refusal]:
        end = _FUTURE if before is None else before
        return self._read(lambda database: read_refusals(source=source, before=end, limit=limit, database=database))

    def depth(self) -> Depth:
        if not self._ledger.waiting:
            return Depth(waiting=0, oldest=None)
        now = self._clock()
        if self._oldest[1] is None or not 0 <= now - self._oldest[0] < _SECOND:
            self._oldest = (now, self._read(read_oldest))
        return Depth(waiting=self._ledger.waiting, oldest=self._oldest[1])

    async def prune(self, *, now: int) -> int:
        aged = await self._forget(partial(forget_aged, now=now, max_age=self._max_age))
        large = await self._forget(partial(make_room, now=now, max_bytes=self._settings.max_bytes, limit=CHUNK))
        await self._forget(partial(forget_rest, now=now, max_age=self._max_age))
        return aged + large

    async def _forget(self, forget: Callable[..., int]) -> int:
        """Forget chunk by chunk, so that others have their turn, until nothing is left to forget."""
        forgotten = 0
        while count := await self._commits.call(lambda _, database: forget(database=database), urgent=True):
            forgotten += count
            self._ledger.forget()
            await asyncio.sleep(0)
        return forgotten

    async def close(self) -> None:
        self._commits.close()
        if self._open is not None:
            with suppress(sqlite3.Error):
                self._open.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._open.close()
            self._open = None
            self._claim.release()

    def _accept(self, batch: Batch, database: sqlite3.Connection, *, drafts: Sequence[Draft]) -> object:
        ...

    # -- the one writer

    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            self._open = connect(self._path)
        return self._open

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return query(self._database())
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._not_stored(error) from error

    def _commit(self, changes: Sequence[Change]) -> list[Any]:
        """Make all changes in one transaction. A change that cannot be made at all fails alone; the disk fails all."""
        try:
            return self._transact(changes)
        except Exception as error:
            self._roll_back(error)
            if is_disk(error):
                return [self._not_stored(error) for _ in changes]
            if len(changes) == 1:
                return [error]
        return [self._commit([change])[0] for change in changes]

    def _transact(self, changes: Sequence[Change]) -> list[Any]:
        database = self._database()
        batch, results = Batch(self._ledger), []
        self._room = None
        database.execute("BEGIN IMMEDIATE")
        for change in changes:
            try:
                results.append(change(batch, database))
            except (Refused, NotStored) as error:
                results.append(error)
        batch.write(database)
        database.execute("COMMIT")
        batch.settle(self._ledger)
        return results
