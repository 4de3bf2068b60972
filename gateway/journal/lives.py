"""A signal's life, read back: what was accepted, where it went, and what the bots said; few queries for many lives."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from gateway.journal.model import Delivered, Life, Station
from schemas.envelope import complete
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from schemas.topics import encode_segment

_ONE = "SELECT position FROM signals WHERE id = ?"
_ALL = """
    SELECT position FROM signals WHERE accepted_at < :before AND accepted_at >= ifnull((
        SELECT min(accepted_at) FROM (
            SELECT accepted_at FROM signals WHERE accepted_at < :before ORDER BY accepted_at DESC LIMIT :limit
        )
    ), :before) ORDER BY accepted_at DESC, position DESC
"""
_OF_SOURCE = """
    SELECT position FROM signals WHERE source = :source AND accepted_at < :before AND accepted_at >= ifnull((
        SELECT min(accepted_at) FROM (
            SELECT accepted_at FROM signals WHERE source = :source AND accepted_at < :before
            ORDER BY accepted_at DESC LIMIT :limit
        )
    ), :before) ORDER BY accepted_at DESC, position DESC
"""
_NEWEST = """
    SELECT position, key, instrument FROM partitions JOIN signals ON signals.source = :source
    AND signals.accepted_at = partitions.accepted_at AND signals.sequence = partitions.sequence
    AND (signals.instrument = substr(partitions.key, length(:source) + 2) OR instr(partitions.key, '%'))
    WHERE partitions.key > :source || '/' AND partitions.key < :source || '0' ORDER BY position
"""
_SIGNALS = """
    SELECT position, id, source, body, mode, instrument, effect, accepted_at, expires_at, possible_duplicate_of,
    sequence, head FROM signals WHERE position IN (SELECT value FROM json_each(?))
"""
_DELIVERIES = """
    SELECT position, payload IS NULL, previous, destination, topic, station, at, reason, attempts, published_at,
    awaiting FROM outbox
    WHERE position IN (SELECT value FROM json_each(?)) ORDER BY position, destination
"""
_RECEIPTS = """
    SELECT receipts.position, stored_at, signals.id, bot, handler, stage, at, received_at, started_at, duration_ms,
    reason, order_ids FROM receipts JOIN signals USING (position)
    WHERE receipts.position IN (SELECT value FROM json_each(?)) ORDER BY receipts.position, number
"""


def read_life(id_: str, *, database: sqlite3.Connection) -> Life | None:
    """The life of one signal."""
    lives = _read(database.execute(_ONE, (id_,)).fetchall(), database=database)
    return lives[0] if lives else None


def read_lives(*, source: str | None, before: int, limit: int, database: sqlite3.Connection) -> list[Life]:
    """The newest lives before a time, and all that share the last one's microsecond."""
    query = _ALL if source is None else _OF_SOURCE
    found = database.execute(query, {"source": source, "before": before, "limit": limit})
    return _read(found.fetchall(), database=database)


def read_newest(source: str, database: sqlite3.Connection) -> list[Life]:
    """The newest life of each instrument of a source."""
    rows = database.execute(_NEWEST, {"source": source})
    found = [(position,) for position, key, name in rows if key == f"{source}/{encode_segment(name)}"]
    return _read(found, database=database)


def _read(found: list[tuple[int]], *, database: sqlite3.Connection) -> list[Life]:
    positions = json.dumps([position for (position,) in found])
    deliveries: defaultdict[int, list[Delivered]] = defaultdict(list)
    previous: dict[int, int] = {}
    for position, whole, before, *delivered in database.execute(_DELIVERIES, (positions,)):
        deliveries[position].append(_delivered(delivered))
        if whole and before is not None:
            previous[position] = before
    receipts: defaultdict[int, list[tuple[int, Receipt]]] = defaultdict(list)
    for position, stored_at, *receipt in database.execute(_RECEIPTS, (positions,)):
        receipts[position].append((stored_at, _receipt(receipt)))
    lives = {
        position: _life(
            row,
            position=position,
            previous=previous.get(position),
            deliveries=deliveries[position],
            receipts=receipts[position],
        )
        for position, *row in database.execute(_SIGNALS, (positions,))
    }
    return [lives[position] for (position,) in found]


def _life(
    row: Sequence[Any],
    *,
    position: int,
    previous: int | None,
    deliveries: Iterable[Delivered],
    receipts: Iterable[tuple[int, Receipt]],
) -> Life:
    id_, source, body, mode, instrument, effect, accepted_at, expires_at, duplicate_of, sequence, head = row
    return Life(
        position=position,
        id=id_,
        source=source,
        body=body,
        mode=mode,
        instrument=instrument,
        effect=effect,
        accepted_at=accepted_at,
        expires_at=expires_at,
        envelope=complete(head, sequence=sequence, previous=previous, possible_duplicate_of=duplicate_of),
        deliveries=tuple(deliveries),
        receipts=tuple(receipts),
        possible_duplicate_of=duplicate_of,
    )


def _delivered(row: Sequence[Any]) -> Delivered:
    destination, topic, station, at, reason, attempts, published_at, awaiting = row
    return Delivered(
        destination=destination,
        topic=topic,
        station=Station(station),
        at=at,
        reason=reason,
        attempts=attempts,
        published_at=published_at,
        awaiting=tuple(awaiting.split()),
    )


def _receipt(row: Sequence[Any]) -> Receipt:
    signal, bot, handler, stage, at, received_at, started_at, duration_ms, reason, order_ids = row
    return Receipt(
        signal=signal,
        bot=bot,
        handler=handler or None,
        stage=Stage(stage),
        at=from_micros(at),
        received_at=None if received_at is None else from_micros(received_at),
        started_at=None if started_at is None else from_micros(started_at),
        duration_ms=duration_ms,
        reason=reason,
        order_ids=tuple(json.loads(order_ids)) if order_ids else (),
    )
