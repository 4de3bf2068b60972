"""The journal's file: claimed by one process, opened durably, brought to the newest schema, or refused with why."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from gateway.errors import Misconfigured
from gateway.journal.tables import MIGRATIONS

APPLICATION_ID = 0x5347_4A31
"""``SGJ1`` in the file's header."""

OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables; RETURNING came with 3.35."""

_PRAGMAS = (
    "PRAGMA busy_timeout = 250",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -8000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA journal_size_limit = 16777216",
)


class Claim:
    """The right of one process to a journal, held by a lock on ``<path>.lock`` until ``release`` or the process's end.

    Raises:
        gateway.errors.Misconfigured: another process has it, or the folder cannot be used.
    """

    def __init__(self, path: Path) -> None:
        lock = path.with_name(f"{path.name}.lock")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(
                f"The journal's folder {path.parent} cannot be used: {error.strerror}. Make it writable for this user, "
                "or name another file as journal.path."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(file, 20).decode(errors="replace").strip()
            os.close(file)
            raise Misconfigured(
                f"The journal {path} is in use by another gateway (process {holder or 'unknown'}). Stop that one, or "
                "name another file as journal.path."
            ) from error
        with suppress(OSError):  # on a full disk the lock holds without a name in it
            os.ftruncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
        self._file: int | None = file

    def release(self) -> None:
        """Let another process have the journal."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the file, which has mode 0600; ``create`` makes it where it is missing.

    Raises:
        sqlite3.Error, OSError: it cannot be opened.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600))
    path.chmod(0o600)
    database = sqlite3.connect(path, timeout=0.25, isolation_level=None, cached_statements=64)
    try:
        for pragma in _PRAGMAS:
            database.execute(pragma)
    except sqlite3.Error:
        database.close()
        raise
    return database


def prepare(path: Path) -> sqlite3.Connection:
    """Open the file at start and bring it to the newest schema.

    Raises:
        gateway.errors.Misconfigured: it is of somebody else, or of a newer version.
        sqlite3.Error, OSError: it cannot be read or written.
    """
    _inspect(path)
    database = connect(path, create=True)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say at start into what the operator can do.

    Raises:
        gateway.errors.Misconfigured: the file is no database, a damaged one, or it cannot be written.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise Misconfigured(f"SQLite {sqlite3.sqlite_version} is too old: the journal needs 3.37 or newer.")
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise Misconfigured(unwritable(path, error)) from error
    except sqlite3.DatabaseError as error:
        raise Misconfigured(
            f"The journal {path} cannot be read: {error}. Move the file away and restore a copy of it, or start "
            "without it: then what it held is lost."
        ) from error


def _inspect(path: Path) -> None:
    """Refuse a file of somebody else's before anything in it is changed."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with closing(sqlite3.connect(path, timeout=0.25)) as database:
        application = database.execute("PRAGMA application_id").fetchone()[0]
        version = database.execute("PRAGMA user_version").fetchone()[0]
        tables = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (application or tables):
        raise Misconfigured(f"{path} is a database, but no journal. Name another file as journal.path.")
    if version > len(MIGRATIONS):
        raise Misconfigured(
            f"The journal {path} has version {version}; this gateway knows versions up to {len(MIGRATIONS)}. It was "
            "written by a newer gateway: start that one, or restore the backup in journal/backups that an upgrade made."
        )


def migrate(database: sqlite3.Connection) -> None:
    """Bring the schema to the newest version, each step in a transaction of its own; check that it can be written."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        database.execute("BEGIN IMMEDIATE")
        for statement in (*step, f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {number}"):
            database.execute(statement)
        database.execute("COMMIT")
    database.execute("BEGIN IMMEDIATE")
    database.execute("ROLLBACK")


def unwritable(path: Path, error: Exception) -> str:
    """What is wrong with the journal's disk, and what to do."""
    return (
        f"The journal {path} cannot be written: {error}. Make room on its disk, or make the file and its folder "
        "writable for this user."
    )
