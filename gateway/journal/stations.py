"""What happens to a stored signal later: steps of its outbox rows, and the receipts of the bots."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from gateway.journal.batch import Batch
from gateway.journal.model import Outcome, Station
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


def record(outcomes: Sequence[Outcome], *, batch: Batch, database: sqlite3.Connection) -> None:
    """Move outbox rows; one that is finished, or forgotten, stays as it is."""
    positions = json.dumps([step.position for step in outcomes])
    rows = {(row[0], row[1]): row for row in database.execute(_UNFINISHED, (positions,))}
    taken = []
    for step in outcomes:
        place = (step.position, step.destination)
        if place not in rows:
            continue
        taken.append((step.station.value, step.at, _text(step.reason), step.attempts, step.previous, *place))
        if step.station.final:
            _, _, source, weight, lane, sequence = rows.pop(place)
            batch.finish(source, weight=weight)
            if step.station is Station.PUBLISHED:
                batch.puts[lane] = sequence
    database.executemany(_STEP, taken)


def receive(receipts: Iterable[Receipt], *, at: int, batch: Batch) -> None:
    """Store receipts of signals that are remembered; of others nobody could ask."""
    batch.receipts.extend(_row(receipt, stored_at=at) for receipt in receipts)


def _row(receipt: Receipt, *, stored_at: int) -> tuple[object, ...]:
    return (
        receipt.bot,
        _text(receipt.handler or ""),
        receipt.stage.value,
        stored_at,
        to_micros(receipt.at),
        receipt.received_at and to_micros(receipt.received_at),
        receipt.started_at and to_micros(receipt.started_at),
        None if receipt.duration_ms is None else float(receipt.duration_ms),
        receipt.reason and _text(receipt.reason),
        json.dumps(receipt.order_ids) if receipt.order_ids else None,
        receipt.signal,
    )


def _text(text: str) -> str:
    """Text that UTF-8 can spell: JSON may bring a lone surrogate, and a receipt is not lost for it."""
    return text if text.isascii() else text.encode(errors="replace").decode()
