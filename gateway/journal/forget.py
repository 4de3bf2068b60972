"""What the journal forgets: finished signals by age and by size, and the identities and numbers that nobody needs."""

from __future__ import annotations

import sqlite3

from gateway.journal.admission import EQUAL_MEMORY, KEY_MEMORY
from gateway.journal.model import JournalSettings
from gateway.journal.refusals import forget_refusals

CHUNK = 250
"""Rows that one commit forgets at most: about 5 ms."""

_FINISHED = """
    SELECT position FROM signals WHERE accepted_at < :before AND expires_at <= :now
    AND position < (SELECT max(position) FROM signals)
    AND NOT EXISTS (
        SELECT 1 FROM outbox WHERE outbox.position = signals.position AND station IN ('waiting', 'publishing')
    ) ORDER BY accepted_at LIMIT :limit
"""
_SIGNAL = "DELETE FROM signals WHERE position = ?"
_OLD_KEYS = "SELECT source, key FROM idempotency_keys WHERE at < ? ORDER BY at LIMIT ?"
_KEY = "DELETE FROM idempotency_keys WHERE source = ? AND key = ?"
_IDLE = """
    SELECT key FROM partitions WHERE accepted_at < ? AND NOT EXISTS (
        SELECT 1 FROM lanes JOIN outbox USING (lane)
        WHERE lanes.key = partitions.key AND station IN ('waiting', 'publishing')
    ) LIMIT ?
"""
_PARTITION = "DELETE FROM partitions WHERE key = ?"
_LANE = "DELETE FROM lanes WHERE key = ?"


def size(database: sqlite3.Connection) -> int:
    """The bytes that are in use in the file."""
    pages: int = database.execute("PRAGMA page_count").fetchone()[0]
    free: int = database.execute("PRAGMA freelist_count").fetchone()[0]
    page: int = database.execute("PRAGMA page_size").fetchone()[0]
    return (pages - free) * page


def forget_aged(*, now: int, max_age: int, database: sqlite3.Connection) -> int:
    """Forget a chunk of what is past its age; say how many signals. The newest stays: positions go on from it."""
    return _forget_signals(before=now - max(max_age, EQUAL_MEMORY), now=now, limit=CHUNK, database=database)


def make_room(*, now: int, settings: JournalSettings, limit: int, database: sqlite3.Connection) -> int:
    """Forget the oldest finished signals, at most ``limit``, while the size is over its budget; say how many.

    Those of the last 30 s stay, as equal ones are recognised by them.
    """
    if size(database) <= settings.max_bytes:
        return 0
    return _forget_signals(before=now - EQUAL_MEMORY, now=now, limit=limit, database=database)


def forget_rest(*, now: int, max_age: int, database: sqlite3.Connection) -> int:
    """Forget a chunk of refusals, idempotency keys and idle partitions past their age; say how many."""
    keys = database.execute(_OLD_KEYS, (now - KEY_MEMORY, CHUNK)).fetchall()
    database.executemany(_KEY, keys)
    idle = database.execute(_IDLE, (now - max_age, CHUNK)).fetchall()
    database.executemany(_PARTITION, idle)
    database.executemany(_LANE, idle)
    refusals = forget_refusals(before=now - max_age, limit=CHUNK, database=database)
    return len(keys) + len(idle) + refusals


def _forget_signals(*, before: int, now: int, limit: int, database: sqlite3.Connection) -> int:
    positions = database.execute(_FINISHED, {"before": before, "now": now, "limit": limit}).fetchall()
    database.executemany(_SIGNAL, positions)
    return len(positions)
