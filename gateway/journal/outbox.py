"""The outbox, read: what waits, lane by lane. Every query goes by the index of unsettled rows alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

from gateway.journal.model import Lane, Station, Waiting

_DUE = """
    settled = 0 AND (station != 'published' OR EXISTS (
        SELECT 1 FROM json_each(:bots) WHERE instr(' ' || awaiting || ' ', ' ' || value || ' ')
    ))
"""
_LANES = f"""
    SELECT destination, key FROM (
        SELECT destination, key, (
            SELECT position FROM outbox WHERE outbox.lane = lanes.lane AND {_DUE} ORDER BY position LIMIT 1
        ) AS first FROM lanes
    ) WHERE first IS NOT NULL ORDER BY first
"""  # noqa: S608 - constants
_OLDEST = """
    SELECT accepted_at FROM signals WHERE position = (
        SELECT min((
            SELECT min(position) FROM outbox
            WHERE outbox.lane = lanes.lane AND settled = 0 AND station != 'published'
        )) FROM lanes
    )
"""
_THIS_LANE = "lane = (SELECT lane FROM lanes WHERE key = :key AND destination = :destination)"
_WAITING = f"""
    SELECT outbox.position, id, signals.source, body, effect, topic, ifnull(payload, head),
    CASE WHEN payload IS NULL THEN outbox.sequence END, accepted_at, signals.expires_at, once, possible_duplicate_of,
    previous, published_at IS NOT NULL OR previous IS NOT NULL, attempts, station, awaiting
    FROM outbox JOIN signals USING (position)
    WHERE {_THIS_LANE} AND outbox.position > :after AND {_DUE} ORDER BY outbox.position LIMIT :limit
"""  # noqa: S608 - constants
_PUTS = f"SELECT topic, sequence FROM puts WHERE {_THIS_LANE}"  # noqa: S608 - constants
_REDUCE = f"""
    SELECT ifnull(max(position), 0) FROM outbox JOIN signals USING (position)
    WHERE {_THIS_LANE} AND settled = 0 AND station != 'published' AND effect = 'reduce'
"""  # noqa: S608 - constants


def read_lanes(*, bots: Collection[str], database: sqlite3.Connection) -> list[Lane]:
    """The lanes with rows that the broker, or one of the bots, does not have; the one with the oldest first."""
    found = database.execute(_LANES, {"bots": json.dumps(list(bots))})
    return [Lane(destination, key) for destination, key in found]


def read_oldest(database: sqlite3.Connection) -> int | None:
    """The acceptance of the oldest row that the broker does not have; None where there is none."""
    row = database.execute(_OLDEST).fetchone()
    return row[0] if row else None


def read_puts(lane: Lane, *, database: sqlite3.Connection) -> dict[str, int]:
    """The sequence last recorded as published on each topic of a lane."""
    return dict(database.execute(_PUTS, _place(lane)).fetchall())


def read_last_reduce(lane: Lane, *, database: sqlite3.Connection) -> int:
    """The position of the newest row of a lane that the broker does not have and that reduces; 0 for none."""
    found: int = database.execute(_REDUCE, _place(lane)).fetchone()[0]
    return found


def _place(lane: Lane) -> dict[str, object]:
    return {"key": lane.key, "destination": lane.destination}


def read_waiting(
    lane: Lane, *, after: int, limit: int, bots: Collection[str], database: sqlite3.Connection
) -> list[Waiting]:
    """Rows of a lane behind a position that the broker, or one of the bots, does not have; in order."""
    bounds = {"after": after, "limit": limit, "bots": json.dumps(list(bots))}
    rows = database.execute(_WAITING, _place(lane) | bounds)
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
            put=bool(put),
            publishing=station == Station.PUBLISHING,
            attempts=attempts,
            awaiting=tuple(awaiting.split()),
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
            put,
            attempts,
            station,
            awaiting,
        ) in rows
    ]
