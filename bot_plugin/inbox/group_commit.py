"""Many changes, one commit: statements run where they are told, in memory; the wait for the disk is a thread's.

A transaction's statements take microseconds and run in the loop, because a thread would take the interpreter from the
loop and give it back at each of them. Only the commit, which waits for the disk, runs in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock

from bot_plugin.database import Change, Database
from bot_plugin.inbox.model import Tell

PATIENCE = 0.005
"""Seconds that what nobody waits for waits for something to ride along with."""

TURNS = 3
"""Turns of the loop for which a commit waits at most, and only while more comes in."""


class GroupCommit:
    """Stores changes in the order in which they were told. The first that fails ends it: nothing follows it.

    But for ``store_now`` and ``error`` it is used in the loop in which it was made.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="inbox")
        self._writing = Lock()  # held from a transaction's first statement to the end of its commit
        self._lists = Lock()
        self._changes: list[Change] = []
        self._tell: list[Tell] = []
        self._error: OSError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gathering = self._due = False
        self.told = 0
        """How many changes were told so far."""
        self.stored = 0
        """How many of them, from the first on, are stored."""

    @property
    def idle(self) -> bool:
        """Whether all that was told is stored."""
        self._check()
        return not self._changes and not self._tell and not self._writing.locked()

    def add(self, changes: Iterable[Change]) -> None:
        """Store changes within ``PATIENCE``.

        Raises:
            OSError: nothing can be stored any more.
        """
        self._append(changes)
        self._soon()

    def when_stored(self, tell: Tell) -> None:
        """Tell when all that was added is stored, or why it is not."""
        self._tell.append(tell)
        self._soon()

    def hurry(self) -> None:
        """Store what was added without waiting for more than comes in at once."""
        if not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._gather, 0, 0)

    def store_now(self, changes: Iterable[Change] = ()) -> None:
        """Store changes, and all before them, before returning; on any thread.

        Raises:
            OSError: nothing can be stored any more.
        """
        self._append(changes)
        with self._writing:
            batch, tell = self._take()
            self._attempt(self._database.execute, batch)
            self._commit(len(batch))
        self._land(tell)
        self._check()

    def close(self) -> None:
        """Store what is pending, if that is possible, and take no more."""
        if self._timer is not None:
            self._timer.cancel()
        with suppress(OSError):
            self.store_now()
        self._pool.shutdown()
        self._error = self._error or OSError("the inbox is closed: the bot has stopped")
        self._database.close()

    def _append(self, changes: Iterable[Change]) -> None:
        with self._lists:
            self._check()
            before = len(self._changes)
            self._changes += changes
            self.told += len(self._changes) - before

    def _check(self) -> None:
        if self._error is not None:
            raise OSError(*self._error.args)

    def _soon(self) -> None:
        if self._timer is None and not self._gathering and not self._due:
            self._timer = self._loop.call_later(PATIENCE, self._write)

    def _gather(self, seen: int, turns: int) -> None:
        """Wait another turn of the loop while more comes in: a start for what has just been seen."""
        if turns < TURNS and seen < len(self._changes):
            self._loop.call_soon(self._gather, len(self._changes), turns + 1)
            return
        self._gathering = False
        self._write()

    def _write(self) -> None:
        """Store what was added; once the transaction that is being stored has ended, where there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = True
        if not self._writing.acquire(blocking=False):
            return
        self._due = False
        batch, tell = self._take()
        self._attempt(self._database.execute, batch)
        self._pool.submit(self._commit_and_land, len(batch), tell)

    def _commit_and_land(self, changes: int, tell: list[Tell]) -> None:
        self._commit(changes)
        self._writing.release()
        self._land(tell)

    def _commit(self, changes: int) -> None:
        self._attempt(self._database.commit)
        self.stored += changes if self._error is None else 0

    def _take(self) -> tuple[list[Change], list[Tell]]:
        with self._lists:
            batch, self._changes = self._changes, []
            tell, self._tell = self._tell, []
        return batch, tell

    def _attempt(self, step: Callable[..., None], *values: object) -> None:
        if self._error is None:
            try:
                step(*values)
            except OSError as error:
                self._error = error

    def _land(self, tell: list[Tell]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._landed, tell, self._error)

    def _landed(self, tell: list[Tell], error: OSError | None) -> None:
        try:
            for each in tell:
                each(error)
        finally:
            if self._due and not self._gathering:
                self._write()
