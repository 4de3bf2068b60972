"""What happens to a stored signal later: steps of its outbox rows, and the receipts of the bots."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from gateway.journal.batch import Batch
from gateway.journal.model import Outcome, Station
from gateway.journal.receiving import LeftOut, Place, new_receipts, spelled
from schemas.fields import to_micros
from schemas.receipt import Receipt

_UNFINISHED = """
    SELECT position, destination, source, weight, lane, sequence FROM outbox
    WHERE position IN (SELECT value FROM json_each(?)) AND station IN ('waiting', 'publishing')
"""
_STEP = """
    UPDATE outbox SET station = ?, at = ?, reason = ?, attempts = ?, previous = ifnull(?, previous)
    WHERE position = ? AND destination = ?
"""
_POSITIONS = "SELECT id, position FROM signals WHERE id IN (SELECT value FROM json_each(?))"
_RECEIVED = """
    SELECT position, bot, handler, stage FROM receipts WHERE position IN (SELECT value FROM json_each(?))
"""
_RECEIPT = """
    INSERT INTO receipts (position, bot, handler, stage, stored_at, at, received_at, started_at, duration_ms, reason,
    order_ids) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def record(outcomes: Sequence[Outcome], *, batch: Batch, database: sqlite3.Connection) -> None:
    """Move outbox rows; one that is finished, or forgotten, stays as it is."""
    positions = json.dumps([step.position for step in outcomes])
    rows = {(row[0], row[1]): row for row in database.execute(_UNFINISHED, (positions,))}
    taken = []
    for step in outcomes:
        place = (step.position, step.destination)
        if place not in rows:
            continue
        taken.append((step.station.value, step.at, spelled(step.reason), step.attempts, step.previous, *place))
        if step.station.final:
            _, _, source, weight, lane, sequence = rows.pop(place)
            batch.finish(source, weight=weight)
            if step.station is Station.PUBLISHED:
                batch.puts[lane] = sequence
    database.executemany(_STEP, taken)


def receive(receipts: Sequence[Receipt], *, at: int, database: sqlite3.Connection) -> LeftOut:
    """Store receipts of signals that are remembered; of others nobody could ask."""
    ids = json.dumps([receipt.signal for receipt in receipts])
    positions = dict(database.execute(_POSITIONS, (ids,)).fetchall())
    found = database.execute(_RECEIVED, (json.dumps(list(positions.values())),))
    stored = set(map(Place._make, found))
    new, left_out = new_receipts(receipts, positions=positions, stored=stored)
    database.executemany(_RECEIPT, [_row(place, receipt, stored_at=at) for place, receipt in new.items()])
    return left_out


def _row(place: Place, receipt: Receipt, *, stored_at: int) -> tuple[object, ...]:
    return (
        *place,
        stored_at,
        to_micros(receipt.at),
        receipt.received_at and to_micros(receipt.received_at),
        receipt.started_at and to_micros(receipt.started_at),
        None if receipt.duration_ms is None else float(receipt.duration_ms),
        receipt.reason and spelled(receipt.reason),
        json.dumps(receipt.order_ids) if receipt.order_ids else None,
    )
