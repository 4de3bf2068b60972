"""The inbox's file: opened durably, brought to the newest schema, or refused with why."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from bot_plugin.errors import SettingsError
from bot_plugin.inbox.tables import MIGRATIONS, Change

APPLICATION_ID = 0x5347_4931
"""``SGI1`` in the file's header."""

OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -8000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA journal_size_limit = 16777216",
)

T = TypeVar("T")


class Database:
    """The open file: batches of changes, one transaction each. One thread at a time may use it, but for ``look``.

    Args:
        path: the file.
        room: bytes that its files take from the start: a commit that makes a file longer waits for the disk for longer.

    Raises:
        SettingsError: it cannot be used; it names the path, and what to do.
    """

    def __init__(self, path: Path, *, room: int) -> None:
        self._path, self._room = path, room
        self._database, self._looking = self._explained(self._open)
        self._file = _identity(path)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Read something at start.

        Raises:
            SettingsError: the file is damaged.
        """
        return self._explained(lambda: query(self._database))

    def look(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Read what is stored, in the thread that opened it, while another may store more.

        Raises:
            OSError: it cannot be read.
        """
        try:
            return query(self._looking)
        except (sqlite3.Error, ValueError) as error:
            raise OSError(_unreadable(self._path, error)) from error

    def execute(self, changes: Iterable[Change]) -> None:
        """Make changes, in a transaction that ``commit`` ends.

        Raises:
            OSError: they cannot be stored.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for statement, values in changes:
                self._database.execute(statement, values)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise OSError(unwritable(self._path, error)) from error

    def commit(self) -> None:
        """Bring what was executed to the disk.

        Raises:
            OSError: it cannot be, or the file is not there any more.
        """
        try:
            self._database.execute("COMMIT")
            found = _identity(self._path)
        except (sqlite3.Error, OSError) as error:
            raise OSError(unwritable(self._path, error)) from error
        if found != self._file:
            raise OSError(unwritable(self._path, "another file is in its place"))

    def close(self) -> None:
        """Bring everything into the main file, and close it."""
        self._looking.close()
        with suppress(sqlite3.Error):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._database.close()

    def _explained(self, do: Callable[[], T]) -> T:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise SettingsError([f"SQLite {sqlite3.sqlite_version} is too old: the bot's inbox needs 3.37 or newer"])
        try:
            return do()
        except (sqlite3.OperationalError, OSError) as error:
            raise SettingsError([unwritable(self._path, error)]) from error
        except (sqlite3.DatabaseError, ValueError) as error:
            if isinstance(error, SettingsError):
                raise
            raise SettingsError([_unreadable(self._path, error)]) from error

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        path = self._path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        _inspect(path)
        database = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                database.execute(pragma)
            _migrate(database)
            _take_room(database, self._room)
            return database, sqlite3.connect(path, timeout=1, isolation_level=None)
        except BaseException:
            database.close()
            raise


def _inspect(path: Path) -> None:
    """Refuse a file of somebody else's before anything in it is changed."""
    if path.stat().st_size == 0:
        return
    with closing(sqlite3.connect(path, timeout=1)) as database:
        application = database.execute("PRAGMA application_id").fetchone()[0]
        version = database.execute("PRAGMA user_version").fetchone()[0]
        tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (application or tables):
        raise SettingsError([f"{path} is a database, but no bot's inbox; name another folder as state_dir"])
    if version > len(MIGRATIONS):
        newer = (
            f"the inbox {path} has version {version}, and this plugin knows versions up to {len(MIGRATIONS)}: it was "
            "written by a newer one; install that again, or name another folder as state_dir"
        )
        raise SettingsError([newer])


def _migrate(database: sqlite3.Connection) -> None:
    """Bring the schema to the newest version, each step in a transaction of its own; check that it can be written."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        database.execute("BEGIN IMMEDIATE")
        for statement in (*step, f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {number}"):
            database.execute(statement)
        database.execute("COMMIT")
    database.execute("BEGIN IMMEDIATE")
    database.execute("ROLLBACK")


def _take_room(database: sqlite3.Connection, room: int) -> None:
    """Fill the write-ahead log once, and begin it anew: from then on commits write over what is there."""
    if room:
        database.execute("DROP TABLE IF EXISTS room")
        database.execute("CREATE TABLE room (taken BLOB)")
        database.execute("INSERT INTO room VALUES (zeroblob(?))", (room,))
        database.execute("DROP TABLE room")
        database.execute("PRAGMA wal_checkpoint(RESTART)")


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def unwritable(path: Path, problem: object) -> str:
    """What is wrong with the inbox's disk, and what to do."""
    return (
        f"the bot's inbox {path} cannot be written: {problem}. Make room on its disk, make the file and its folder "
        "writable for this user, or name another folder as state_dir"
    )


def _unreadable(path: Path, problem: object) -> str:
    return (
        f"the bot's inbox {path} cannot be read: {problem}. Move the file away and start without it: the bot forgets "
        "then what it ran, so stop the sources until what is on its way has expired"
    )
