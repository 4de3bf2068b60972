"""The inbox on the bot's disk: the ids are in memory too, so that the disk is only read at start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from bot_plugin.inbox import tables
from bot_plugin.inbox.database import Database
from bot_plugin.inbox.group_commit import GroupCommit
from bot_plugin.inbox.memory import LIMIT, Ids, system_monotonic
from bot_plugin.inbox.model import KEEP_AFTER_EXPIRY, Arrival, Recovered, Tell
from bot_plugin.inbox.tables import Known
from schemas.fields import to_micros
from schemas.receipt import Receipt

ROOM = 4_000_000


class SqliteInbox:
    """The Inbox of a bot that survives its process: what it stored is on the disk (WAL, ``synchronous = FULL``).

    How long an id is kept is told by the monotonic clock from its arrival on. What an earlier process left is kept for
    an hour of this process at least, and for no longer than it was to be kept when it came: a clock that was set
    forward makes it forget nothing early, and one that was set back keeps nothing for ever.

    Args:
        path: the file; it and its folder are made where they are missing.
        limit: ids of signals to run that are kept at most, and as many of others.
        room: bytes that the files take from the start, so that commits need not make them longer.
        now: the clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, microseconds.
    """

    durable = True

    def __init__(
        self,
        path: Path,
        *,
        limit: int = LIMIT,
        room: int = ROOM,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic: Callable[[], int] = system_monotonic,
    ) -> None:
        self._path, self._limit, self._room = path, limit, room
        self._now, self._monotonic = now, monotonic

    def __len__(self) -> int:
        return len(self._ids)

    async def open(self) -> Recovered:
        """Open the file, and read what an earlier process left."""
        database = Database(self._path, room=self._room)
        try:
            known, left = database.read(tables.known), database.read(tables.recovered)
        except BaseException:
            database.close()
            raise
        self._ids = Ids(limit=self._limit, monotonic=self._monotonic)
        for one in known:
            self._ids.keep(one.id, for_=self._rest(one), receipts=one.receipts)
        self._commits = GroupCommit(database)
        return left

    def arrive(self, arrival: Arrival) -> bool:
        """Take a signal as seen; False where its id is known."""
        if arrival.id in self._ids:
            return False
        self._forget(self._ids.room(to_run=bool(arrival.handlers)))
        self._commits.add(tables.arrived(arrival))
        self._ids.keep(arrival.id, for_=arrival.forget_at - arrival.received_at)
        return True

    def start(self, id_: str, handler: str, *, at: int) -> None:
        """A handler is about to be called."""
        self._commits.add([tables.started(id_, handler, at=at)])

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        """As ``start``, and stored when it returns."""
        self._commits.store_now([tables.started(id_, handler, at=at)])

    def finish(self, receipt: Receipt) -> None:
        """A handler ended."""
        if receipt.signal in self._ids:
            self._commits.add(tables.finished(receipt))
            self._ids.finish(receipt)

    def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of a signal."""
        return self._ids.receipts(id_)

    def withdraw(self, receipt: Receipt, *, forget_at: int) -> bool:
        """A signal that never arrived is withdrawn."""
        if receipt.signal in self._ids:
            return False
        at = to_micros(receipt.at)
        self._forget(self._ids.room(to_run=False))
        self._commits.add(tables.withdrawn(receipt, at=at, forget_at=forget_at))
        self._ids.keep(receipt.signal, for_=forget_at - at, receipts=(receipt,))
        return True

    def confirm(self, receipts: Iterable[Receipt]) -> None:
        """The gateway has these receipts."""
        self._commits.add(tables.confirmed(receipts))

    def prune(self) -> int:
        """Forget ids past their time."""
        forgotten = self._ids.prune()
        if forgotten:
            self._commits.add([*tables.forgotten(forgotten), tables.topics_forgotten()])
        return len(forgotten)

    async def stored(self) -> None:
        """Return when all that was told is stored."""
        if self._commits.idle:
            return
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.when_stored(partial(_resolve, stored))
        self._commits.hurry()
        await stored

    def when_stored(self, tell: Tell) -> None:
        """Tell when all that was told is stored."""
        if self._commits.idle:
            tell(None)
        else:
            self._commits.when_stored(tell)

    async def close(self) -> None:
        """Store what is pending and close."""
        self._commits.close()

    def _forget(self, ids: list[str]) -> None:
        if ids:
            self._commits.add(tables.forgotten(ids))

    def _rest(self, known: Known) -> int:
        whole = known.forget_at - known.received_at
        return max(KEEP_AFTER_EXPIRY, min(whole, known.forget_at - self._now()))


def _resolve(stored: asyncio.Future[None], error: OSError | None) -> None:
    if stored.done():
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(OSError(*error.args))
