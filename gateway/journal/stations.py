"""What happens to a stored signal later: steps of its outbox rows, and the receipts of the bots that settle them."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gateway.journal.batch import Batch
from gateway.journal.model import Outcome, Station
from gateway.journal.receiving import UNHANDLED, Place, new_receipts, spelled
from gateway.journal.reception import Reception, Unanswered, Unhandled
from schemas.fields import to_micros
from schemas.receipt import Receipt

CHUNK = 500
"""Rows that one call gives up at most."""

_UNSETTLED = """
    SELECT position, destination, source, weight, lane, topic, sequence, once, station FROM outbox
    WHERE position IN (SELECT value FROM json_each(?)) AND settled = 0
"""
_STEP = """
    UPDATE outbox SET station = ?, at = ?, reason = ?, attempts = ?, previous = ifnull(?, previous), awaiting = ?,
    published_at = ifnull(published_at, ?), settled = ? WHERE position = ? AND destination = ?
"""
_POSITIONS = "SELECT id, position FROM signals WHERE id IN (SELECT value FROM json_each(?))"
_RECEIVED = """
    SELECT position, bot, handler, stage FROM receipts WHERE position IN (SELECT value FROM json_each(?))
"""
_RECEIPT = """
    INSERT INTO receipts (position, bot, handler, stage, stored_at, at, received_at, started_at, duration_ms, reason,
    order_ids) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_BOTS = """
    SELECT position, bot, max(stored_at) FROM receipts WHERE position IN (SELECT value FROM json_each(?))
    GROUP BY position, bot
"""
_AWAITING = """
    SELECT position, destination, source, weight, awaiting, settled FROM outbox
    WHERE position IN (SELECT value FROM json_each(?)) AND (awaiting != '' OR (station = 'published' AND once = 0))
"""
_ANSWER = "UPDATE outbox SET awaiting = ? WHERE position = ? AND destination = ?"
_SETTLE = """
    UPDATE outbox SET station = 'receipted', at = ?, reason = '', awaiting = '', settled = 1
    WHERE position = ? AND destination = ?
"""
_IS_PAST = "settled = 0 AND station = 'published' AND outbox.expires_at < ?"
_HAS_PAST = f"SELECT 1 FROM outbox WHERE {_IS_PAST} LIMIT 1"  # noqa: S608 - constants
_PAST = f"""
    SELECT position, destination, weight, id, outbox.source, instrument, effect, awaiting, EXISTS (
        SELECT 1 FROM receipts WHERE receipts.position = outbox.position AND stage = 'handled'
    ) FROM outbox JOIN signals USING (position) WHERE {_IS_PAST} ORDER BY outbox.expires_at LIMIT ?
"""  # noqa: S608 - constants
_SIGNALS = "SELECT position, source, instrument, effect FROM signals WHERE position IN (SELECT value FROM json_each(?))"
_GIVE_UP = """
    UPDATE outbox SET station = 'unanswered', at = ?, reason = ?, settled = 1 WHERE position = ? AND destination = ?
"""


class _Row(NamedTuple):
    position: int
    destination: str
    source: str
    weight: int
    lane: int
    topic: str
    sequence: int
    once: int
    station: str


def record(outcomes: Sequence[Outcome], *, batch: Batch, database: sqlite3.Connection) -> tuple[str, ...]:
    """Move outbox rows; one that is settled, or forgotten, stays as it is. The sources of those now receipted."""
    found = database.execute(_UNSETTLED, (_json(step.position for step in outcomes),))
    rows = {row[:2]: row for row in map(_Row._make, found)}
    published = {step.position for step in outcomes if step.station is Station.PUBLISHED}
    receipted = _receipted(published, database=database)
    taken, sources = [], []
    for outcome in outcomes:
        row = rows.get((outcome.position, outcome.destination))
        if row is None or (row.station == Station.PUBLISHED and not follows_published(outcome.station)):
            continue
        step = _answered(outcome, receipted[outcome.position]) if not row.once else outcome
        settled = step.station.final and not step.awaiting
        taken.append(_step(step, put_at=outcome.at, settled=settled))
        _count(row, step, settled=settled, batch=batch)
        if step.station is Station.RECEIPTED:
            sources.append(row.source)
        if settled:
            del rows[row.position, row.destination]
        else:
            rows[row.position, row.destination] = row._replace(station=step.station.value)
    database.executemany(_STEP, taken)
    return tuple(sources)


def follows_published(station: Station) -> bool:
    """Whether a row that bots have, or may have, can come to a station: it neither waits again nor is withdrawn."""
    return station.final and station is not Station.WITHDRAWN


def _step(step: Outcome, *, put_at: int, settled: bool) -> tuple[object, ...]:
    published_at = put_at if step.station is Station.PUBLISHED or step.station is Station.RECEIPTED else None
    reason, awaiting = spelled(step.reason), " ".join(step.awaiting)
    values = (step.station.value, step.at, reason, step.attempts, step.previous, awaiting, published_at, settled)
    return (*values, step.position, step.destination)


def _answered(step: Outcome, receipted: Mapping[str, int]) -> Outcome:
    """Take the bots that have sent a receipt already off those that a publish awaits."""
    if not receipted:
        return step
    missing = tuple(bot for bot in step.awaiting if bot not in receipted)
    if missing:
        return replace(step, awaiting=missing)
    return replace(step, awaiting=(), station=Station.RECEIPTED, reason="", at=max(step.at, *receipted.values()))


def _receipted(positions: Collection[int], *, database: sqlite3.Connection) -> Mapping[int, Mapping[str, int]]:
    """By position, the bots that have sent a receipt, and when the last of each was stored."""
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    if positions:
        for position, bot, stored_at in database.execute(_BOTS, (_json(positions),)):
            found[position][bot] = stored_at
    return found


def _count(row: _Row, step: Outcome, *, settled: bool, batch: Batch) -> None:
    had_it, has_it = row.station == Station.PUBLISHED, step.station in {Station.PUBLISHED, Station.RECEIPTED}
    if has_it and not had_it:
        batch.puts[row.lane, row.topic] = row.sequence
    batch.waiting -= step.station.final and not had_it
    batch.awaiting += bool(step.awaiting) - had_it
    if settled:
        batch.settle_row(row.source, weight=row.weight)


def receive(receipts: Sequence[Receipt], *, at: int, batch: Batch, database: sqlite3.Connection) -> Reception:
    """Store receipts of signals that are remembered, and settle what has all of its own now."""
    positions = dict(database.execute(_POSITIONS, (_json(receipt.signal for receipt in receipts),)).fetchall())
    known = _json(positions.values())
    stored = set(map(Place._make, database.execute(_RECEIVED, (known,))))
    new, reception = new_receipts(receipts, positions=positions, stored=stored)
    database.executemany(_RECEIPT, [_row(place, receipt, stored_at=at) for place, receipt in new.items()])
    bots: defaultdict[int, set[str]] = defaultdict(set)
    for receipt in receipts:
        if receipt.signal in positions:
            bots[positions[receipt.signal]].add(receipt.bot)
    settled = _settle(bots, known=known, at=at, batch=batch, database=database)
    return replace(reception, settled=tuple(settled), unhandled=_unhandled(new, database=database))


def _unhandled(new: Mapping[Place, Receipt], *, database: sqlite3.Connection) -> tuple[Unhandled, ...]:
    """Those of the new receipts that say that their signal was not handled."""
    found = [(place.signal, receipt) for place, receipt in new.items() if place.stage in UNHANDLED]
    if not found:
        return ()
    signals = {row[0]: row[1:] for row in database.execute(_SIGNALS, (_json(position for position, _ in found),))}
    return tuple(Unhandled(receipt, *signals[position]) for position, receipt in found)


def _settle(
    bots: Mapping[int, Collection[str]], *, known: str, at: int, batch: Batch, database: sqlite3.Connection
) -> list[str]:
    sources = []
    for position, destination, source, weight, awaiting, settled in database.execute(_AWAITING, (known,)).fetchall():
        names = awaiting.split()
        missing = [bot for bot in names if bot not in bots[position]]
        if missing:
            if len(missing) < len(names):
                database.execute(_ANSWER, (" ".join(missing), position, destination))
            continue
        database.execute(_SETTLE, (at, position, destination))
        sources.append(source)
        if not settled:
            batch.awaiting -= 1
            batch.settle_row(source, weight=weight)
    return sources


def has_past(database: sqlite3.Connection, *, before: int) -> bool:
    """Whether there is anything to give up."""
    return database.execute(_HAS_PAST, (before,)).fetchone() is not None


def give_up(*, before: int, at: int, batch: Batch, database: sqlite3.Connection) -> list[Unanswered]:
    """End published rows that expired before a time without all their receipts."""
    ended = []
    for position, destination, weight, *of in database.execute(_PAST, (before, CHUNK)).fetchall():
        id_, source, instrument, effect, awaiting, handled = of
        bots = tuple(awaiting.split())
        reason = f"no receipt from {', '.join(bots)} by its expiry"
        database.execute(_GIVE_UP, (at, reason, position, destination))
        batch.awaiting -= 1
        batch.settle_row(source, weight=weight)
        ended.append(Unanswered(id_, source, instrument, effect, bots, bool(handled)))
    return ended


def _json(values: Iterable[object]) -> str:
    return json.dumps(list(values))


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
