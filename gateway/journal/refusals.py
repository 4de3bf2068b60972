"""The refused requests: bounded, so that a flood of them never pushes a signal out."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict

from gateway.journal.model import Refusal
from schemas.errors import Fault

KEPT = 10_000
"""Refusals that are kept of one source: the newest."""

_INSERT = "INSERT INTO refusals (id, source, at, code, size, faults) VALUES (?, ?, ?, ?, ?, ?)"
_COUNT = "SELECT count(*) FROM refusals WHERE source = ?"
_OLDEST = """
    DELETE FROM refusals WHERE number IN (SELECT number FROM refusals WHERE source = ? ORDER BY at, number LIMIT ?)
"""
_PAST = "DELETE FROM refusals WHERE number IN (SELECT number FROM refusals WHERE at < ? ORDER BY at LIMIT ?)"
_ALL = """
    SELECT id, source, at, code, faults, size FROM refusals WHERE at < :before AND at >= ifnull((
        SELECT min(at) FROM (SELECT at FROM refusals WHERE at < :before ORDER BY at DESC LIMIT :limit)
    ), :before) ORDER BY at DESC, number DESC
"""
_OF_SOURCE = """
    SELECT id, source, at, code, faults, size FROM refusals WHERE source = :source AND at < :before AND at >= ifnull((
        SELECT min(at) FROM (
            SELECT at FROM refusals WHERE source = :source AND at < :before ORDER BY at DESC LIMIT :limit
        )
    ), :before) ORDER BY at DESC, number DESC
"""


class Refusals:
    """Writes refusals and forgets a source's oldest; the counts are only a hint, and are read again when in doubt."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, refusal: Refusal, *, database: sqlite3.Connection) -> None:
        """Store a refusal."""
        faults = json.dumps([asdict(fault) for fault in refusal.faults], separators=(",", ":"))
        row = (refusal.id, refusal.source, refusal.at, refusal.code, refusal.size, faults)
        database.execute(_INSERT, row)
        self._bound(refusal.source, database=database)

    def _bound(self, source: str, *, database: sqlite3.Connection) -> None:
        count = self._counts.get(source, KEPT) + 1
        if count > KEPT:
            count = database.execute(_COUNT, (source,)).fetchone()[0]
            if count > KEPT:
                excess = count - KEPT + KEPT // 100
                count -= database.execute(_OLDEST, (source, excess)).rowcount
        self._counts[source] = count


def forget_refusals(*, before: int, limit: int, database: sqlite3.Connection) -> int:
    """Forget refusals older than ``before``, at most ``limit`` of them; say how many."""
    return database.execute(_PAST, (before, limit)).rowcount


def read_refusals(*, source: str | None, before: int, limit: int, database: sqlite3.Connection) -> list[Refusal]:
    """The newest refusals before a time, and all that share the last one's microsecond."""
    query = _ALL if source is None else _OF_SOURCE
    rows = database.execute(query, {"source": source, "before": before, "limit": limit})
    return [
        Refusal(id=id_, source=source_, at=at, code=code, faults=_faults(faults), size=size)
        for id_, source_, at, code, faults, size in rows
    ]


def _faults(text: str) -> tuple[Fault, ...]:
    return tuple(Fault(**fault) for fault in json.loads(text))
