"""Copies of the journal: taken while a gateway writes to it, checked, and made fit to go on from."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Misconfigured
from gateway.journal.database import APPLICATION_ID, explained, prepare
from gateway.journal.tables import MIGRATIONS

NEWEST = len(MIGRATIONS)
"""The version that this gateway writes."""

_COUNT = "SELECT count(*), max(accepted_at) FROM signals"
_END = """
    UPDATE outbox SET station = 'unknown', at = :now, reason = :reason, settled = 1
    WHERE settled = 0 AND (once = 1 OR position IN (
        SELECT position FROM signals WHERE effect != 'reduce' AND body != 'withdraw'
    ))
"""
_NOT_IN_FORCE = "UPDATE signals SET expires_at = :now WHERE body = 'prediction' AND expires_at > :now"
_UNSETTLED = "SELECT count(DISTINCT position) FROM outbox WHERE settled = 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What a copy has.

    Args:
        version: of its schema.
        signals: how many.
        newest: when the last one was accepted, in microseconds since the epoch; None for none.
    """

    version: int
    signals: int
    newest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What becomes of what was not settled in a copy: signals that go on, and places that ended as ``unknown``."""

    going_on: int
    ended: int


def journal_version(path: Path) -> int | None:
    """The version of a journal's schema; None where there is no journal yet.

    Raises:
        gateway.errors.Misconfigured: the file is no database, or cannot be read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    with explained(path), closing(sqlite3.connect(path, timeout=5.0)) as database:
        version: int = database.execute("PRAGMA user_version").fetchone()[0]
    return version


def copy_journal(path: Path, to: Path) -> Copied:
    """Copy the journal as it is at one moment, with all that was answered by then, also while a gateway writes to it.

    Args:
        path: the journal.
        to: the copy, one file of mode 0600 that is made.

    Raises:
        gateway.errors.Misconfigured: it is no journal, is damaged, or the copy cannot be written.
    """
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with explained(path), closing(sqlite3.connect(path, timeout=5.0)) as source:
        source.execute("PRAGMA schema_version").fetchone()
        try:
            with closing(sqlite3.connect(to)) as target:
                source.backup(target)  # in one step: a copy in several begins anew whenever somebody writes
                target.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise Misconfigured(f"The copy {to} cannot be written: {error}. Make room on its disk.") from error
    return check_copy(to, of=path)


def check_copy(path: Path, *, of: Path) -> Copied:
    """Read the whole copy, ``of`` a journal or a backup, and say what is in it.

    Raises:
        gateway.errors.Misconfigured: it is no journal, or is damaged.
    """
    with explained(of), closing(sqlite3.connect(path)) as database:
        found = database.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            raise Misconfigured(f"The journal of {of} is damaged: {found[0][0]}.")
        if database.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise Misconfigured(f"{of} is no journal.")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        signals, newest = database.execute(_COUNT).fetchone()
    return Copied(version=version, signals=signals, newest=newest)


def adopt_copy(path: Path, *, reason: str, now: int) -> Adopted:
    """Make a copy fit to go on from: bring it to the newest schema, and end what may have been overtaken since.

    Only exits and withdrawals go on, where bots recognise them; the copy does not know of later exits, withdrawals
    and predictions, which may have made all else wrong.

    Args:
        path: the copy.
        reason: why signals end.
        now: microseconds since the epoch.

    Raises:
        gateway.errors.Misconfigured: it is no journal, or of a newer version.
    """
    with explained(path), closing(prepare(path)) as database:
        database.execute("BEGIN IMMEDIATE")
        ended = database.execute(_END, {"now": now, "reason": reason}).rowcount
        database.execute(_NOT_IN_FORCE, {"now": now})
        going_on = database.execute(_UNSETTLED).fetchone()[0]
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Adopted(going_on=going_on, ended=ended)
