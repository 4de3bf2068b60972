"""What the journal forgets: settled signals by age and by size, and the identities and numbers that nobody needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from gateway.journal.admission import EQUAL_MEMORY, KEY_MEMORY
from gateway.journal.batch import Batch
from gateway.journal.refusals import forget_refusals

CHUNK = 100
"""Signals that one commit forgets at most: about 5 ms."""

_AGAIN = 1_000_000

_FINISHED = """
    SELECT position FROM signals WHERE accepted_at < :before AND expires_at <= :now
    AND position < (SELECT max(position) FROM signals)
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.position = signals.position AND settled = 0)
    ORDER BY accepted_at LIMIT :limit
"""
_SIGNAL = "DELETE FROM signals WHERE position = ?"
_OLD_KEYS = "SELECT source, key FROM idempotency_keys WHERE at < ? ORDER BY at LIMIT ?"
_KEY = "DELETE FROM idempotency_keys WHERE source = ? AND key = ?"
_IDLE = """
    SELECT key, sequence FROM partitions WHERE accepted_at < ? AND key != '' AND NOT EXISTS (
        SELECT 1 FROM lanes JOIN outbox USING (lane)
        WHERE lanes.key = partitions.key AND settled = 0
    ) LIMIT ?
"""
_PARTITION = "DELETE FROM partitions WHERE key = ?"
_HIGHEST = """
    INSERT INTO partitions (key, sequence, accepted_at) VALUES ('', ?, 0)
    ON CONFLICT (key) DO UPDATE SET sequence = max(sequence, excluded.sequence)
"""
_PUTS = "DELETE FROM puts WHERE lane IN (SELECT lane FROM lanes WHERE key = ?)"
_LANE = "DELETE FROM lanes WHERE key = ?"


def size(database: sqlite3.Connection) -> int:
    """The bytes that are in use in the file."""
    pages: int = database.execute("PRAGMA page_count").fetchone()[0]
    free: int = database.execute("PRAGMA freelist_count").fetchone()[0]
    page: int = database.execute("PRAGMA page_size").fetchone()[0]
    return (pages - free) * page


class Budget:
    """How much the file may hold, kept at the door: what is finished makes room for what comes.

    Args:
        max_bytes: the size past which the oldest finished signals are forgotten.
        clock: microseconds since the epoch.
    """

    def __init__(self, max_bytes: int, *, clock: Callable[[], int]) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._full_at: int | None = None

    @property
    def full(self) -> bool:
        """Whether nothing fitted when it was asked last."""
        return self._full_at is not None

    def has_room(self, database: sqlite3.Connection) -> bool:
        """Whether something fits, or was forgotten for it. In vain it looks for finished signals once a second."""
        now = self._clock()
        if size(database) > self._max_bytes:
            if self._full_at is not None and 0 <= now - self._full_at < _AGAIN:
                return False
            if not make_room(now=now, max_bytes=self._max_bytes, database=database):
                self._full_at = now
                return False
        self._full_at = None
        return True


def forget_aged(*, now: int, max_age: int, database: sqlite3.Connection) -> int:
    """Forget a chunk of what is past its age; say how many signals. The newest stays: positions go on from it."""
    return _forget_signals(before=now - max(max_age, EQUAL_MEMORY), now=now, database=database)


def make_room(*, now: int, max_bytes: int, database: sqlite3.Connection) -> int:
    """Forget a chunk of the oldest finished signals while the size is over its budget; say how many.

    Those of the last 30 s stay, as equal ones are recognised by them.
    """
    if size(database) <= max_bytes:
        return 0
    return _forget_signals(before=now - EQUAL_MEMORY, now=now, database=database)


def forget_rest(*, now: int, max_age: int, batch: Batch, database: sqlite3.Connection) -> int:
    """Forget a chunk of refusals, idempotency keys and idle partitions past their age; say how many.

    A partition that the batch is about to use is not idle. The highest number of those forgotten is kept, so that
    numbers grow also where the clock is set back behind them; that row is written in any case, which tells whether the
    journal can store.
    """
    keys = database.execute(_OLD_KEYS, (now - KEY_MEMORY, CHUNK)).fetchall()
    database.executemany(_KEY, keys)
    found = database.execute(_IDLE, (now - max_age, CHUNK)).fetchall()
    idle = [(key, sequence) for key, sequence in found if not batch.uses(key)]
    database.execute(_HIGHEST, (max((sequence for _, sequence in idle), default=0),))
    database.executemany(_PARTITION, [(key,) for key, _ in idle])
    database.executemany(_PUTS, [(key,) for key, _ in idle])
    database.executemany(_LANE, [(key,) for key, _ in idle])
    refusals = forget_refusals(before=now - max_age, limit=CHUNK, database=database)
    return len(keys) + len(idle) + refusals


def _forget_signals(*, before: int, now: int, database: sqlite3.Connection) -> int:
    positions = database.execute(_FINISHED, {"before": before, "now": now, "limit": CHUNK}).fetchall()
    database.executemany(_SIGNAL, positions)
    return len(positions)
