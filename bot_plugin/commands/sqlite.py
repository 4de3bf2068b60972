"""The memory of commands on the bot's disk: a call that was begun is known after a crash too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeVar

from bot_plugin.commands.ledger import KEEP, ROWS, SIZE, Entry, LedgerFull
from bot_plugin.database import Change, Database, Kind

T = TypeVar("T")

KIND = Kind(
    name="memory of commands",
    application_id=0x5347_4331,  # SGC1
    forgets="the bot forgets then which commands it ran, so send none again that was sent in the last 24 hours",
    migrations=(
        (
            """
            CREATE TABLE calls (
                number INTEGER PRIMARY KEY,
                key BLOB NOT NULL UNIQUE,
                fingerprint BLOB NOT NULL,
                harmless INTEGER NOT NULL,
                reply BLOB,
                size INTEGER NOT NULL DEFAULT 0,
                kept_until INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX calls_by_end ON calls (kept_until, size)",
            "CREATE INDEX calls_with_reply ON calls (number) WHERE size > 0",
            "CREATE INDEX calls_harmless ON calls (number) WHERE harmless AND reply IS NOT NULL",
            "CREATE TABLE clock (micros INTEGER NOT NULL) STRICT",  # that ran while some process had it open
            "INSERT INTO clock VALUES (0)",
        ),
    ),
)

_FIND = "SELECT fingerprint, reply FROM calls WHERE key = ?"
_TOTAL = "SELECT count(*), coalesce(sum(size), 0) FROM calls"
_ENDED = "SELECT count(*), coalesce(sum(size), 0) FROM calls WHERE kept_until <= ?"
_SPARE = """
    SELECT number, size FROM calls WHERE harmless AND reply IS NOT NULL AND kept_until > ? ORDER BY number LIMIT 1
"""
_OLDEST = "SELECT number, size FROM calls WHERE size > 0 ORDER BY number"
_FORGET = "DELETE FROM calls WHERE kept_until <= ?"
_SPARE_ONE = "DELETE FROM calls WHERE number = ?"
_BEGIN = "INSERT INTO calls (key, fingerprint, harmless, kept_until) VALUES (?, ?, ?, ?)"
_FINISH = "UPDATE calls SET reply = ?, size = ? WHERE key = ?"
_DROP = "UPDATE calls SET reply = x'', size = 0 WHERE number = ?"
_NOTE = "UPDATE clock SET micros = ?"


class SqliteLedger:
    """A Ledger that survives its process (WAL, ``synchronous = FULL``). All of it happens in one thread of its own.

    How long a call is known is told by a clock of the ledger's own, which only passes while a process has it open: a
    wall clock that is set, forward or back, makes it forget nothing early.

    Args:
        path: the file; it and its folder are made where they are missing.
        monotonic: a clock that nobody sets, microseconds.
        rows: calls that are known at most.
        size: bytes of all replies that are kept at most.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], int], rows: int = ROWS, size: int = SIZE) -> None:
        self._path, self._monotonic, self._most, self._most_bytes = path, monotonic, rows, size
        self._rows = self._bytes = self._ahead = 0

    async def open(self) -> None:
        """Open the file."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="commands")
        await self._in_thread(self._open)

    async def find(self, key: bytes) -> Entry | None:
        """What is stored of a call."""
        return await self._in_thread(self._find, key)

    async def begin(self, key: bytes, fingerprint: bytes, *, harmless: bool) -> None:
        """Store that a call is about to be run."""
        await self._in_thread(self._begin, key, fingerprint, harmless)

    async def finish(self, key: bytes, reply: bytes) -> None:
        """Store a reply."""
        await self._in_thread(self._finish, key, reply)

    async def close(self) -> None:
        """Note the clock, and close the file."""
        await self._in_thread(self._close)
        self._pool.shutdown(wait=False)

    async def _in_thread(self, work: Callable[..., T], *values: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *values)

    def _open(self) -> None:
        self._database = database = Database(self._path, KIND)
        try:
            self._rows, self._bytes = database.read(lambda found: found.execute(_TOTAL).fetchone())
            noted: int = database.read(lambda found: found.execute("SELECT micros FROM clock").fetchone()[0])
        except BaseException:
            database.close()
            raise
        self._ahead = noted - self._monotonic()

    def _close(self) -> None:
        with suppress(OSError):
            self._store([(_NOTE, (self._clock(),))])
        self._database.close()

    def _find(self, key: bytes) -> Entry | None:
        found = self._look(_FIND, key)
        return None if found is None else Entry(fingerprint=found[0], reply=found[1])

    def _begin(self, key: bytes, fingerprint: bytes, harmless: bool) -> None:  # noqa: FBT001  # through an executor
        now = self._clock()
        rows, freed = self._look(_ENDED, now)
        changes: list[Change] = [(_FORGET, (now,))]
        if self._rows - rows >= self._most:
            spare = self._look(_SPARE, now)
            if spare is None:
                raise LedgerFull(self._most)
            rows, freed = rows + 1, freed + spare[1]
            changes.append((_SPARE_ONE, (spare[0],)))
        changes += [(_BEGIN, (key, fingerprint, int(harmless), now + KEEP)), (_NOTE, (now,))]
        self._store(changes)
        self._rows, self._bytes = self._rows - rows + 1, self._bytes - freed

    def _finish(self, key: bytes, reply: bytes) -> None:
        entry = self._find(key)
        if entry is None or entry.reply is not None:
            return
        kept = reply if len(reply) <= self._most_bytes else b""
        total = self._bytes + len(kept)
        changes: list[Change] = [(_FINISH, (kept, len(kept), key))]
        if total > self._most_bytes:
            for number, size in self._database.look(lambda found: found.execute(_OLDEST).fetchall()):
                if total > self._most_bytes:
                    total -= size
                    changes.append((_DROP, (number,)))
        self._store(changes)
        self._bytes = total

    def _clock(self) -> int:
        return self._ahead + self._monotonic()

    def _look(self, query: str, *values: Any) -> Any:
        def look(database: Connection) -> Any:
            return database.execute(query, values).fetchone()

        return self._database.look(look)

    def _store(self, changes: Iterable[Change]) -> None:
        """Store changes, all or none.

        Raises:
            OSError: none were.
        """
        try:
            self._database.execute(changes)
            self._database.commit()
        except OSError:
            self._database.undo()
            raise
