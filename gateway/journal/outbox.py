"""The outbox, read: what waits, lane by lane. Every query goes by the index of unfinished rows alone."""

from __future__ import annotations

import sqlite3

from gateway.journal.model import Lane, Station, Waiting

_LANES = """
    SELECT destination, key FROM (
        SELECT destination, key, (
            SELECT min(position) FROM outbox
            WHERE outbox.lane = lanes.lane AND station IN ('waiting', 'publishing')
        ) AS first FROM lanes
    ) WHERE first IS NOT NULL ORDER BY first
"""
_OLDEST = """
    SELECT accepted_at FROM signals WHERE position = (
        SELECT min((
            SELECT min(position) FROM outbox
            WHERE outbox.lane = lanes.lane AND station IN ('waiting', 'publishing')
        )) FROM lanes
    )
"""
_WAITING = """
    SELECT outbox.position, id, signals.source, body, effect, topic, ifnull(payload, head),
    CASE WHEN payload IS NULL THEN outbox.sequence END, accepted_at, expires_at, once, possible_duplicate_of, previous,
    attempts, station FROM outbox JOIN signals USING (position)
    WHERE lane = (SELECT lane FROM lanes WHERE key = ? AND destination = ?) AND position > ?
    AND station IN ('waiting', 'publishing') ORDER BY position LIMIT ?
"""
_PUT = "SELECT put FROM lanes WHERE key = ? AND destination = ?"


def read_lanes(database: sqlite3.Connection) -> list[Lane]:
    """The lanes with unfinished rows, the one with the oldest first."""
    return [Lane(destination, key) for destination, key in database.execute(_LANES)]


def read_oldest(database: sqlite3.Connection) -> int | None:
    """The acceptance of the oldest unfinished row; None where there is none."""
    row = database.execute(_OLDEST).fetchone()
    return row[0] if row else None


def read_put(lane: Lane, *, database: sqlite3.Connection) -> int | None:
    """The sequence last recorded as published on a lane."""
    row = database.execute(_PUT, (lane.key, lane.destination)).fetchone()
    return row[0] if row else None


def read_waiting(lane: Lane, *, after: int, limit: int, database: sqlite3.Connection) -> list[Waiting]:
    """Unfinished rows of a lane behind a position, in order."""
    rows = database.execute(_WAITING, (lane.key, lane.destination, after, limit))
    return [
        Waiting(
            position=position,
            lane=lane,
            id=id_,
            source=source,
            body=body,
            effect=effect,
            topic=topic,
            payload=payload,
            sequence=sequence,
            accepted_at=accepted_at,
            expires_at=expires_at,
            once=bool(once),
            possible_duplicate_of=duplicate_of,
            previous=previous,
            put=attempts > 0,
            publishing=station == Station.PUBLISHING,
            attempts=attempts,
        )
        for (
            position,
            id_,
            source,
            body,
            effect,
            topic,
            payload,
            sequence,
            accepted_at,
            expires_at,
            once,
            duplicate_of,
            previous,
            attempts,
            station,
        ) in rows
    ]
