"""A file of the bot's memory: opened durably, brought to the newest schema, or refused with why."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bot_plugin.errors import SettingsError

Change = tuple[str, tuple[Any, ...]]
"""A statement and its values."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a file is.

    Args:
        name: what a person calls it.
        application_id: in the file's header.
        migrations: each step brings the schema from the version before to its own.
        forgets: what a bot that starts without its file forgets, and how to live with it.
    """

    name: str
    application_id: int
    migrations: tuple[tuple[str, ...], ...]
    forgets: str


class Database:
    """The open file: batches of changes, one transaction each. One thread at a time may use it, but for ``look``.

    Args:
        path: the file.
        kind: what it is.
        room: bytes that its files take from the start: a commit that makes a file longer waits for the disk for longer.

    Raises:
        SettingsError: it cannot be used; it names the path, and what to do.
    """

    def __init__(self, path: Path, kind: Kind, *, room: int = 0) -> None:
        self._path, self._kind, self._room = path, kind, room
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
            raise OSError(self._unreadable(error)) from error

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
            raise OSError(self._unwritable(error)) from error

    def commit(self) -> None:
        """Bring what was executed to the disk.

        Raises:
            OSError: it cannot be, or the file is not there any more.
        """
        try:
            self._database.execute("COMMIT")
            found = _identity(self._path)
        except (sqlite3.Error, OSError) as error:
            raise OSError(self._unwritable(error)) from error
        if found != self._file:
            raise OSError(self._unwritable("another file is in its place"))

    def undo(self) -> None:
        """Drop what was executed and could not be stored."""
        with suppress(sqlite3.Error):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def close(self) -> None:
        """Bring everything into the main file, and close it."""
        self._looking.close()
        self.undo()
        with suppress(sqlite3.Error):
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._database.close()

    def _explained(self, do: Callable[[], T]) -> T:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            problem = f"SQLite {sqlite3.sqlite_version} is too old: the bot's {self._kind.name} needs 3.37 or newer"
            raise SettingsError([problem])
        try:
            return do()
        except (sqlite3.OperationalError, OSError) as error:
            raise SettingsError([self._unwritable(error)]) from error
        except (sqlite3.DatabaseError, ValueError) as error:
            if isinstance(error, SettingsError):
                raise
            raise SettingsError([self._unreadable(error)]) from error

    def _open(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        path = self._path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        _inspect(path, self._kind)
        database = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                database.execute(pragma)
            _migrate(database, self._kind)
            _take_room(database, self._room)
            return database, sqlite3.connect(path, timeout=1, isolation_level=None)
        except BaseException:
            database.close()
            raise

    def _unwritable(self, problem: object) -> str:
        return (
            f"the bot's {self._kind.name} {self._path} cannot be written: {problem}. Make room on its disk, make the "
            "file and its folder writable for this user, or name another folder as state_dir"
        )

    def _unreadable(self, problem: object) -> str:
        return (
            f"the bot's {self._kind.name} {self._path} cannot be read: {problem}. Move the file away and start without "
            f"it: {self._kind.forgets}"
        )


def _inspect(path: Path, kind: Kind) -> None:
    """Refuse a file of somebody else's before anything in it is changed."""
    if path.stat().st_size == 0:
        return
    with closing(sqlite3.connect(path, timeout=1)) as database:
        application = database.execute("PRAGMA application_id").fetchone()[0]
        version = database.execute("PRAGMA user_version").fetchone()[0]
        tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != kind.application_id and (application or tables):
        raise SettingsError([f"{path} is a database, but no bot's {kind.name}; name another folder as state_dir"])
    if version > len(kind.migrations):
        newer = (
            f"the {kind.name} {path} has version {version}, and this plugin knows versions up to "
            f"{len(kind.migrations)}: it was written by a newer one; install that again, or name another folder as "
            "state_dir"
        )
        raise SettingsError([newer])


def _migrate(database: sqlite3.Connection, kind: Kind) -> None:
    """Bring the schema to the newest version, each step in a transaction of its own; check that it can be written."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    for number, step in enumerate(kind.migrations[version:], start=version + 1):
        database.execute("BEGIN IMMEDIATE")
        for statement in (*step, f"PRAGMA application_id = {kind.application_id}", f"PRAGMA user_version = {number}"):
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
