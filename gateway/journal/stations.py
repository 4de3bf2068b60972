"""What happens to a stored signal later: steps of its outbox rows, and the receipts of the bots."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from gateway.journal.batch import Batch
from gateway.journal.model import Outcome, Station
from schemas.fields import to_micros
from schemas.receipt import Receipt

_STEP = """
    UPDATE outbox SET station = ?, at = ?, reason = ?, attempts = ?, previous = ifnull(?, previous)
    WHERE position = ? AND destination = ? AND station IN ('waiting', 'publishing')
    RETURNING source, weight, lane, sequence
"""
_RECEIPT = """
    INSERT OR IGNORE INTO receipts (position, bot, handler, stage, number, stored_at, at, received_at, started_at,
    duration_ms, reason, order_ids)
    SELECT position, ?, ?, ?, (SELECT count(*) FROM receipts WHERE receipts.position = signals.position),
    ?, ?, ?, ?, ?, ?, ? FROM signals WHERE id = ?
"""


def record(outcomes: Iterable[Outcome], *, batch: Batch, database: sqlite3.Connection) -> None:
    """Move outbox rows; one that is finished, or forgotten, stays as it is."""
    for step in outcomes:
        values = (step.station.value, step.at, _text(step.reason), step.attempts, step.previous)
        rows = database.execute(_STEP, (*values, step.position, step.destination)).fetchall()
        for source, weight, lane, sequence in rows:
            if step.station.final:
                batch.finish(source, weight=weight)
            if step.station is Station.PUBLISHED:
                batch.puts[lane] = sequence


def receive(receipts: Iterable[Receipt], *, at: int, database: sqlite3.Connection) -> None:
    """Store receipts of signals that are remembered; of others nobody could ask."""
    database.executemany(_RECEIPT, [_row(receipt, stored_at=at) for receipt in receipts])


def _row(receipt: Receipt, *, stored_at: int) -> tuple[object, ...]:
    return (
        receipt.bot,
        _text(receipt.handler or ""),
        receipt.stage.value,
        stored_at,
        to_micros(receipt.at),
        receipt.received_at and to_micros(receipt.received_at),
        receipt.started_at and to_micros(receipt.started_at),
        receipt.duration_ms,
        receipt.reason and _text(receipt.reason),
        json.dumps(receipt.order_ids) if receipt.order_ids else None,
        receipt.signal,
    )


def _text(text: str) -> str:
    """Text that UTF-8 can spell: JSON may bring a lone surrogate, and a receipt is not lost for it."""
    return text if text.isascii() else text.encode(errors="replace").decode()
