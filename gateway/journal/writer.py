"""The one writer: transactions of many changes, and what becomes of them when the disk refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from gateway.errors import NotStored, Refused
from gateway.journal.batch import Batch
from gateway.journal.database import connect, unwritable
from gateway.journal.ledger import Ledger

_PAUSE = 250_000
"""Microseconds between two tries to open the file again: a try reads what is unfinished."""

_PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY})
"""After these the connection is as good as before; after others the file may have to be opened again."""

_OURS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.NotSupportedError,
)

Change = Callable[[Batch, sqlite3.Connection], Any]
T = TypeVar("T")


class Writer:
    """Owns the connection. ``trouble`` says why the last commit failed, until one that wrote something succeeds.

    Args:
        path: the file.
        database: the file, open.
        clock: microseconds since the epoch.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, *, clock: Callable[[], int]) -> None:
        self._path = path
        self._clock = clock
        self._open: sqlite3.Connection | None = None
        self._failed_at: int | None = None
        self.trouble: str | None = None
        self.ledger = self._adopt(database)

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query.

        Raises:
            gateway.errors.NotStored: the disk refuses.
        """
        try:
            return query(self._database())
        except (sqlite3.DatabaseError, OSError) as error:
            self._roll_back(error)
            raise self._not_stored(error) from error

    def commit(self, changes: Sequence[Change]) -> list[Any]:
        """Make all changes in one transaction, and return what each returned or raised.

        A change that cannot be made at all fails alone; a disk that refuses fails all of them.
        """
        try:
            return self._transact(changes)
        except Exception as error:  # noqa: BLE001 - it is handed to the caller whose change it is
            self._roll_back(error)
            if _is_disk(error):
                self.trouble = unwritable(self._path, error)
                return [self._not_stored(error) for _ in changes]
            if len(changes) == 1:
                return [error]
        return [self.commit([change])[0] for change in changes]

    def close(self) -> None:
        """Bring everything into the main file, and close it."""
        if self._open is not None:
            with suppress(sqlite3.Error):
                self._open.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._open.close()
            self._open = None

    def _transact(self, changes: Sequence[Change]) -> list[Any]:
        database = self._database()
        batch = Batch(self.ledger)
        results: list[Any] = []
        written = database.total_changes
        database.execute("BEGIN IMMEDIATE")
        for change in changes:
            try:
                results.append(change(batch, database))
            except (Refused, NotStored) as error:
                results.append(error)
        batch.write(database)
        database.execute("COMMIT")
        if database.total_changes != written:
            self.trouble = None
        batch.settle(self.ledger)
        return results

    def _database(self) -> sqlite3.Connection:
        """The open file; opened again where it had failed, when what is on it may not be what was known."""
        if self._open is not None:
            return self._open
        now = self._clock()
        if self._failed_at is not None and 0 <= now - self._failed_at < _PAUSE:
            raise sqlite3.OperationalError("it failed a moment ago")
        self._failed_at = now
        database = connect(self._path, create=False)
        self.ledger = self._adopt(database)
        self._failed_at = None
        return database

    def _adopt(self, database: sqlite3.Connection) -> Ledger:
        """Read what is known, and keep the connection where that works."""
        try:
            ledger = Ledger(database, now=self._clock())
        except BaseException:
            database.close()
            raise
        self._open = database
        return ledger

    def _roll_back(self, error: Exception) -> None:
        if self._open is None:
            return
        with suppress(sqlite3.Error):
            if self._open.in_transaction:
                self._open.execute("ROLLBACK")
        if self._open.in_transaction or (_is_disk(error) and getattr(error, "sqlite_errorcode", None) not in _PASSING):
            with suppress(sqlite3.Error):
                self._open.close()
            self._open = None

    def _not_stored(self, error: Exception) -> NotStored:
        return NotStored("disk", unwritable(self._path, error))


def _is_disk(error: Exception) -> bool:
    return isinstance(error, OSError | sqlite3.Error) and not isinstance(error, _OURS)
