"""The inbox's tables, the statements that change them, and what is read from them at start."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from sqlite3 import Connection

from bot_plugin.database import Change
from bot_plugin.inbox.model import Arrival, Recovered, Step, Unfinished
from schemas.receipt import Receipt, ReceiptSchema, Stage
from schemas.record import load, wire

TOPICS = 10_000
"""Topics whose sequence is kept at most."""

WEEK = 7 * 86_400_000_000
"""Microseconds, by the inbox's clock, that a topic's sequence is kept after its newest signal was to be forgotten."""

OWED = 50_000
"""Receipts that a start takes up at most, of the newest signals: ids are in the order of their time."""

_MOST = (1 << 63) - 1
"""The greatest number of SQLite."""

_ARRIVE = "INSERT INTO signals VALUES (?, ?, ?, ?, ?, ?, ?)"
_SEE = "INSERT INTO runs (signal, handler, step) VALUES (?, ?, 'seen')"
_START = "UPDATE runs SET step = 'started', started_at = ? WHERE signal = ? AND handler = ? AND step <> 'done'"
_PUT_BACK = "UPDATE runs SET step = 'seen', started_at = NULL WHERE signal = ? AND handler = ? AND step = 'started'"
_FINISH = "INSERT OR REPLACE INTO runs (signal, handler, step, receipt, owed) VALUES (?, ?, 'done', ?, 1)"
_END_ALL = "UPDATE runs SET step = 'done' WHERE signal = ? AND step = 'seen'"
_EMPTY = """
    UPDATE signals SET payload = NULL
    WHERE id = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE signal = id AND step <> 'done')
"""
_RELEASE = """
    INSERT INTO topics SELECT topic, sequence, kept_until FROM signals WHERE id = ? AND sequence > 0
    ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence), at = max(at, excluded.at)
"""
_PLACE = """
    INSERT INTO orders (signal, handler, ids) SELECT id, ?, ? FROM signals WHERE id = ?
    ON CONFLICT DO UPDATE SET ids = excluded.ids
"""
_FILL = """
    INSERT INTO orders (signal, handler, ids, filled, owed) VALUES (?, ?, ?, ?, 1)
    ON CONFLICT DO UPDATE SET ids = excluded.ids, filled = excluded.filled, owed = 1 WHERE filled IS NULL
"""
_PREDICT = """
    INSERT OR REPLACE INTO predictions SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?
    WHERE NOT EXISTS (SELECT 1 FROM predictions WHERE topic = ? AND series = ? AND sequence > ?)
"""
_END_PREDICTION = "UPDATE predictions SET ended = ? WHERE signal = ?"
_PREDICTIONS = """
    SELECT signal, topic, sequence, payload, received_at, forget_at, series, ended FROM predictions ORDER BY sequence
"""
_FORGET_PREDICTIONS = """
    DELETE FROM predictions WHERE kept_until < max(?, ifnull((
        SELECT kept_until FROM predictions ORDER BY kept_until DESC LIMIT 1 OFFSET ?
    ), 0))
"""
_CONFIRM = "UPDATE runs SET owed = 0 WHERE signal = ? AND handler = ?"
_CONFIRM_FILLED = "UPDATE orders SET owed = 0 WHERE signal = ? AND handler = ?"
_LEAVE_SEQUENCES = """
    INSERT INTO topics
    SELECT topic, max(sequence), max(kept_until) FROM signals
    WHERE id IN (SELECT value FROM json_each(?)) AND sequence > 0 GROUP BY topic
    ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence), at = max(at, excluded.at)
"""
_FORGET = (
    _LEAVE_SEQUENCES,
    "DELETE FROM runs WHERE signal IN (SELECT value FROM json_each(?))",
    "DELETE FROM orders WHERE signal IN (SELECT value FROM json_each(?))",
    "DELETE FROM signals WHERE id IN (SELECT value FROM json_each(?))",
)
_FORGET_TOPICS = """
    DELETE FROM topics WHERE at < ? OR topic NOT IN (SELECT topic FROM topics ORDER BY at DESC LIMIT ?)
"""
_OWED = """
    SELECT receipt FROM (
        SELECT signal, handler, 0 AS filled, receipt FROM runs WHERE owed
        UNION ALL SELECT signal, handler, 1, filled FROM orders WHERE owed
    ) ORDER BY signal DESC, handler DESC, filled DESC LIMIT ?
"""
_RECEIPTS = """
    SELECT receipt FROM runs WHERE signal = :id AND receipt IS NOT NULL
    UNION ALL SELECT filled FROM orders WHERE signal = :id AND filled IS NOT NULL
"""
_ORDERS = """
    SELECT signal, handler, ids FROM orders WHERE signal IN (SELECT id FROM signals WHERE payload IS NOT NULL)
"""
_UNFINISHED = """
    SELECT id, topic, sequence, payload, received_at, forget_at, handler, step, started_at
    FROM signals JOIN runs ON signal = id
    WHERE payload IS NOT NULL ORDER BY sequence, signals.rowid
"""


def arrived(arrival: Arrival, *, kept_until: int) -> Iterator[Change]:
    """A signal was seen; one that no handler will see needs no payload."""
    payload = arrival.payload if arrival.handlers else None
    sequence = min(arrival.sequence, _MOST)
    times = arrival.received_at, arrival.forget_at, kept_until
    yield _ARRIVE, (arrival.id, arrival.topic, sequence, payload, *times)
    for handler in arrival.handlers:
        yield _SEE, (arrival.id, handler)
    if arrival.series is not None:
        place = arrival.topic, arrival.series
        yield _PREDICT, (*place, arrival.id, sequence, *times, arrival.ended, arrival.payload, *place, sequence)


def prediction_ended(id_: str, reason: str) -> Change:
    """A prediction counts no more; it is still the newest."""
    return _END_PREDICTION, (reason, id_)


def withdrawn(receipt: Receipt, *, at: int, forget_at: int, kept_until: int) -> Iterator[Change]:
    """A signal that never came is not to be run."""
    yield _ARRIVE, (receipt.signal, "", 0, None, at, forget_at, kept_until)
    yield from finished(receipt)


def started(id_: str, handler: str, *, at: int) -> Iterator[Change]:
    """A handler is about to be called."""
    yield _START, (at, id_, handler)
    yield _RELEASE, (id_,)


def put_back(id_: str, handler: str) -> Change:
    """A handler was not called."""
    return _PUT_BACK, (id_, handler)


def placed(id_: str, handler: str, orders: tuple[str, ...]) -> Change:
    """Orders followed a signal that is known."""
    return _PLACE, (handler, json.dumps(orders), id_)


def finished(receipt: Receipt) -> Iterator[Change]:
    """A handler ended, or the signal as a whole; the payload of a signal whose handlers all have is dropped."""
    if receipt.stage is Stage.FILLED:
        orders = json.dumps(receipt.order_ids)
        yield _FILL, (receipt.signal, receipt.handler or "", orders, json.dumps(wire(receipt)))
        return
    if receipt.handler is None:
        yield _END_ALL, (receipt.signal,)
    yield _FINISH, (receipt.signal, receipt.handler or "", json.dumps(wire(receipt)))
    yield _EMPTY, (receipt.signal,)
    yield _RELEASE, (receipt.signal,)


def confirmed(receipts: Iterable[Receipt]) -> Iterator[Change]:
    """The gateway has final receipts."""
    for receipt in receipts:
        if receipt.stage is Stage.FILLED:
            yield _CONFIRM_FILLED, (receipt.signal, receipt.handler or "")
        elif receipt.stage.final:
            yield _CONFIRM, (receipt.signal, receipt.handler or "")


def forgotten(ids: list[str]) -> Iterator[Change]:
    """Ids are forgotten; the highest sequence of each topic stays."""
    for statement in _FORGET:
        yield statement, (json.dumps(ids),)


def topics_forgotten(*, clock: int) -> Iterator[Change]:
    """The sequences of topics on which nothing came for long are forgotten, and predictions that are past."""
    yield _FORGET_TOPICS, (clock - WEEK, TOPICS)
    yield _FORGET_PREDICTIONS, (clock, TOPICS)


def noted(clock: int) -> Change:
    """The inbox's clock, microseconds."""
    return "UPDATE clock SET micros = ?", (clock,)


def clock(database: Connection) -> int:
    """The inbox's clock as the last process left it, microseconds."""
    micros: int = database.execute("SELECT micros FROM clock").fetchone()[0]
    return micros


def count(database: Connection) -> int:
    """How many ids there are."""
    ids: int = database.execute("SELECT count(*) FROM signals").fetchone()[0]
    return ids


def receipts(id_: str, database: Connection) -> tuple[Receipt, ...] | None:
    """The final receipts of an id; None where it is not there."""
    if not database.execute("SELECT 1 FROM signals WHERE id = ?", (id_,)).fetchone():
        return None
    found = database.execute(_RECEIPTS, {"id": id_})
    return tuple(_receipt(text) for (text,) in found)


def ended(before: int, database: Connection, *, most: int) -> list[str]:
    """The ids that are kept until then at the longest, by the inbox's clock; those that end first."""
    query = "SELECT id FROM signals WHERE kept_until <= ? ORDER BY kept_until LIMIT ?"
    return [id_ for (id_,) in database.execute(query, (before, most))]


def recovered(database: Connection) -> Recovered:
    """What is unfinished and owed."""
    owed = database.execute(_OWED, (OWED,)).fetchall()
    return Recovered(
        unfinished=tuple(_unfinished(database)),
        owed=tuple(_receipt(text) for (text,) in reversed(owed)),
        sequences=dict(database.execute("SELECT topic, sequence FROM topics ORDER BY at")),
        predictions=tuple(_predictions(database)),
    )


def _predictions(database: Connection) -> Iterator[Arrival]:
    rows = database.execute(_PREDICTIONS)
    for id_, topic, sequence, payload, received_at, forget_at, series, ended in rows:
        yield Arrival(
            id=id_,
            topic=topic,
            payload=payload,
            handlers=(),
            sequence=sequence,
            received_at=received_at,
            forget_at=forget_at,
            series=series,
            ended=ended,
        )


def _unfinished(database: Connection) -> Iterable[Unfinished]:
    found: dict[str, Unfinished] = {}
    steps: dict[str, dict[str, Step]] = defaultdict(dict)
    begun: dict[str, dict[str, int]] = defaultdict(dict)
    orders: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for id_, handler, ids in database.execute(_ORDERS):
        orders[id_][handler] = tuple(json.loads(ids))
    for id_, topic, sequence, payload, received_at, forget_at, handler, step, started_at in database.execute(
        _UNFINISHED
    ):
        steps[id_][handler] = Step(step)
        if started_at is not None:
            begun[id_][handler] = started_at
        arrival = Arrival(
            id=id_,
            topic=topic,
            payload=payload,
            handlers=tuple(steps[id_]),
            sequence=sequence,
            received_at=received_at,
            forget_at=forget_at,
        )
        found[id_] = Unfinished(arrival=arrival, steps=steps[id_], started=begun[id_], orders=orders[id_])
    return found.values()


def _receipt(text: str) -> Receipt:
    receipt: Receipt = load(ReceiptSchema, json.loads(text))
    return receipt
