"""The inbox on the bot's disk: however many ids it keeps, its memory holds the latest only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from bot_plugin.database import Database
from bot_plugin.errors import InboxFull
from bot_plugin.inbox import tables
from bot_plugin.inbox.group_commit import GroupCommit
from bot_plugin.inbox.latest import Latest
from bot_plugin.inbox.memory import system_monotonic
from bot_plugin.inbox.migrations import KIND
from bot_plugin.inbox.model import KEEP_AFTER_EXPIRY, PRUNE_MOST, WITHDRAWN, Arrival, Recovered, Tell
from schemas.fields import to_micros
from schemas.receipt import Receipt

LIMIT = 2_000_000
"""Ids, about 1.3 KB of disk each: 500 signals a second for an hour."""

ROOM = 4_000_000

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
"""Microseconds between two notes of the inbox's clock: while signals come, and while none does. A crash makes it keep
ids for as much longer."""


class SqliteInbox:
    """The Inbox of a bot that survives its process: what it stored is on the disk (WAL, ``synchronous = FULL``).

    How long an id is kept is told by a clock of the inbox's own, which only passes while a process has it open: a wall
    clock that is set, forward or back, makes it forget nothing early and keep nothing for ever.

    Args:
        path: the file; it and its folder are made where they are missing.
        limit: ids that are kept at most; past it only those of signals that nothing is to run, up to twice as many.
        room: bytes that the files take from the start, so that commits need not make them longer.
        monotonic: a clock that nobody sets, microseconds.
    """

    durable = True

    def __init__(
        self,
        path: Path,
        *,
        limit: int = LIMIT,
        room: int = ROOM,
        monotonic: Callable[[], int] = system_monotonic,
    ) -> None:
        self._path, self._limit, self._room = path, limit, room
        self._monotonic = monotonic

    def __len__(self) -> int:
        return self._count

    def __contains__(self, id_: str) -> bool:
        return self._known(id_) is not None

    async def open(self) -> Recovered:
        """Open the file, and read what an earlier process left."""
        database = Database(self._path, KIND, room=self._room)
        try:
            left = database.read(tables.recovered)
            self._count = database.read(tables.count)
            self._noted = database.read(tables.clock)
        except BaseException:
            database.close()
            raise
        self._looked_at_topics = self._noted
        self._ahead = self._noted - self._monotonic()
        self._latest = Latest()
        self._database = database
        self._commits = GroupCommit(database)
        return left

    def arrive(self, arrival: Arrival) -> bool:
        """Take a signal as seen; False where its id is known."""
        if arrival.id in self:
            return False
        self._make_room(to_run=bool(arrival.handlers))
        kept_until = self._clock() + arrival.forget_at - arrival.received_at
        self._note_the_clock(every=_SECOND)
        self._commits.add(tables.arrived(arrival, kept_until=kept_until))
        self._keep(arrival.id)
        return True

    def start(self, id_: str, handler: str, *, at: int) -> None:
        """A handler is about to be called."""
        self._commits.add(tables.started(id_, handler, at=at))

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        """As ``start``, and stored when it returns."""
        self._commits.store_now(tables.started(id_, handler, at=at))

    def put_back(self, id_: str, handler: str) -> None:
        """A handler was not called: the signal waits for it again."""
        self._commits.add([tables.put_back(id_, handler)])

    def placed(self, id_: str, handler: str, orders: tuple[str, ...]) -> None:
        """These are the orders that followed a signal in a handler."""
        self._commits.add([tables.placed(id_, handler, orders)])

    def finish(self, receipt: Receipt) -> None:
        """A handler ended."""
        earlier = self._known(receipt.signal)
        if earlier is not None:
            self._commits.add(tables.finished(receipt))
            self._latest.keep(receipt.signal, (*earlier, receipt), told=self._commits.told)

    def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of a signal."""
        return self._known(id_) or ()

    def withdraw(self, receipt: Receipt, *, forget_at: int) -> bool:
        """A signal that never arrived is withdrawn."""
        if receipt.signal in self:
            self._commits.add([tables.prediction_ended(receipt.signal, WITHDRAWN)])
            return False
        self._make_room(to_run=False)
        at = to_micros(receipt.at)
        kept_until = self._clock() + forget_at - at
        self._commits.add(tables.withdrawn(receipt, at=at, forget_at=forget_at, kept_until=kept_until))
        self._keep(receipt.signal, (receipt,))
        return True

    def confirm(self, receipts: Iterable[Receipt]) -> None:
        """The gateway has these receipts."""
        self._commits.add(tables.confirmed(receipts))

    def prune(self) -> int:
        """Forget ids past their time."""
        now = self._clock()
        self._note_the_clock(every=_MINUTE)
        if now - self._looked_at_topics >= _MINUTE:
            self._commits.add(tables.topics_forgotten(clock=now))
            self._looked_at_topics = now
        return self._forget(before=now)

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
        with suppress(OSError):
            self._note_the_clock(every=0)
        self._commits.close()

    def _clock(self) -> int:
        return self._ahead + self._monotonic()

    def _note_the_clock(self, *, every: int) -> None:
        now = self._clock()
        if now - self._noted >= every:
            self._commits.add([tables.noted(now)])
            self._noted = now

    def _known(self, id_: str) -> tuple[Receipt, ...] | None:
        """The final receipts of an id; None for one that is not known."""
        receipts = self._latest.get(id_)
        if receipts is not None or self._latest.is_forgotten(id_):
            return receipts
        receipts = self._database.look(partial(tables.receipts, id_))
        if receipts is not None:
            self._latest.keep(id_, receipts, told=0)
        return receipts

    def _keep(self, id_: str, receipts: tuple[Receipt, ...] = ()) -> None:
        self._count += 1
        self._latest.keep(id_, receipts, told=self._commits.told)
        self._latest.leave_to_the_disk(stored=self._commits.stored)

    def _make_room(self, *, to_run: bool) -> None:
        """Forget ids past their expiry before their hour is over, where there is no room for a new one.

        Raises:
            InboxFull: none may be.
        """
        limit = self._limit if to_run else 2 * self._limit
        if self._count >= limit and not self._forget(before=self._clock() + KEEP_AFTER_EXPIRY):
            raise InboxFull(f"inbox full: {limit} signals are remembered, and none of them has expired")

    def _forget(self, *, before: int) -> int:
        self._latest.leave_to_the_disk(stored=self._commits.stored)
        ended = self._database.look(partial(tables.ended, before, most=PRUNE_MOST))
        ids = [id_ for id_ in ended if not self._latest.is_forgotten(id_)]
        if ids:
            self._commits.add(tables.forgotten(ids))
            self._latest.forget(ids, told=self._commits.told)
            self._count -= len(ids)
        return len(ids)


def _resolve(stored: asyncio.Future[None], error: OSError | None) -> None:
    if stored.done():
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(OSError(*error.args))
