"""The contract for every input: what is written is read back, and what is read is either right or refused in peace."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.alert import Alert, AlertSchema
from schemas.document import dump, parse
from schemas.envelope import MAX_SEQUENCE, Envelope, body, complete, decode, encode, encode_head
from schemas.errors import ContractError
from schemas.fields import exact, exact_text, from_micros, instant, instant_text, to_micros
from schemas.instrument import Instrument, Kind
from schemas.prediction import Model, Prediction, PredictionSchema, Probabilities, Value
from schemas.receipt import Receipt, ReceiptSchema, Stage
from schemas.record import load, wire
from schemas.topics import Mode, SignalTopic, TopicError, Topics, decode_segment, encode_segment
from schemas.trade import (
    Action,
    Bar,
    Effect,
    Order,
    OrderType,
    Position,
    Quantity,
    Side,
    Trade,
    TradeSchema,
    Unit,
    contradiction,
)

SIDES = ("short", "neutral", "long")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
names = st.text(ALPHABET, min_size=1, max_size=128)
instants = st.datetimes(timezones=st.just(UTC))
digits = st.tuples(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 37))
decimals = digits.map(
    lambda pair: Decimal(pair[0]).scaleb(-pair[1], context=None) if abs(pair[0]) < 10**28 else Decimal(pair[0])
)
positive = decimals.filter(bool).map(lambda value: value.copy_abs())
not_negative = decimals.map(lambda value: value.copy_abs())
numbers = st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False)
documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.just(""),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | st.just(""), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, documents, max_size=4)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def tuples(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=3).map(tuple)


currencies = st.text(ALPHABET.removesuffix("-"), min_size=1, max_size=10)
instruments = st.builds(
    Instrument,
    raw=texts,
    venue=maybe(texts),
    base=maybe(currencies),
    quote=maybe(currencies),
    settle=maybe(currencies),
    kind=st.sampled_from(Kind),
    pair=maybe(st.tuples(currencies, currencies).map("-".join)),
    ccxt=maybe(texts),
)
orders = st.builds(
    Order,
    type=maybe(st.sampled_from(OrderType)),
    quantity=maybe(st.builds(Quantity, value=positive, unit=st.sampled_from(Unit))),
    price=maybe(decimals),
    stop_loss=maybe(decimals),
    take_profit=tuples(decimals),
    trailing=maybe(positive),
    leverage=maybe(positive),
    reduce_only=maybe(st.booleans()),
    id=maybe(texts),
    comment=maybe(texts),
)
sides = st.sampled_from(Side)
positions = st.builds(
    Position, target=maybe(sides), size=maybe(not_negative), previous=maybe(sides), previous_size=maybe(not_negative)
)
bars = st.builds(
    Bar,
    interval=maybe(texts),
    opened_at=maybe(instants),
    **dict.fromkeys(("open", "high", "low", "close", "volume"), maybe(decimals)),
)
trades = st.builds(
    Trade,
    action=st.sampled_from(Action),
    instrument=instruments,
    effect=st.sampled_from(Effect),
    position=maybe(positions),
    order=maybe(orders),
    bar=maybe(bars),
    fired_at=maybe(instants),
    strategy=maybe(texts),
    account=maybe(texts),
    indicators=st.dictionaries(texts, decimals | numbers, max_size=3),
    message=maybe(texts),
    idempotency_key=maybe(texts),
    extra=objects,
    inferred=tuples(texts),
).filter(
    lambda trade: (
        trade.position is None or not contradiction(trade.action, trade.position.target, trade.position.previous)
    )
)
alerts = st.builds(Alert, message=maybe(texts), instrument=maybe(instruments), fired_at=maybe(instants), extra=objects)
receipts = st.builds(
    Receipt,
    signal=texts,
    bot=names,
    stage=st.sampled_from(Stage),
    at=instants,
    handler=maybe(texts),
    reason=maybe(texts),
    duration_ms=maybe(st.floats(0, 1e12) | st.integers(0, 2**53)),
    order_ids=tuples(texts),
    received_at=maybe(instants),
    started_at=maybe(instants),
)
parts = st.tuples(*[st.integers(0, 10**6)] * 3).filter(any)
probabilities = parts.map(lambda part: Probabilities(**dict(zip(SIDES, (n / sum(part) for n in part), strict=True))))
measures = decimals | numbers
levels = st.sets(st.integers(1, 9_999), max_size=5).map(lambda found: [f"{level / 10_000:.4f}" for level in found])
quantiles = st.builds(
    lambda names, values: dict(zip(sorted(names), sorted(values), strict=False)),
    levels,
    st.lists(measures, min_size=5, max_size=5),
)
predictions = st.builds(
    Prediction,
    model=st.builds(Model, name=texts, version=maybe(texts)),
    instrument=instruments,
    horizon=maybe(st.floats(1e-6, 1e12) | st.integers(1, 2**53)),
    probabilities=maybe(probabilities),
    value=maybe(st.builds(Value, name=texts, value=measures)),
    quantiles=quantiles,
    confidence=maybe(st.floats(0, 1)),
    outlier=maybe(st.booleans()),
    target_pct=maybe(positive),
    observed_at=maybe(instants),
    produced_at=maybe(instants),
    features=st.dictionaries(texts, measures, max_size=3),
    idempotency_key=maybe(texts),
).filter(lambda prediction: prediction.probabilities or prediction.value or prediction.quantiles)
sequences = st.integers(0, MAX_SEQUENCE)
envelopes = st.builds(
    Envelope,
    id=texts,
    source=texts,
    type=texts,
    time=instants,
    data=objects,
    subject=maybe(texts),
    dataschema=maybe(texts),
    expirytime=instants,
    mode=st.sampled_from(Mode),
    partitionkey=maybe(texts),
    sequence=maybe(sequences),
    previoussequence=maybe(sequences),
    traceparent=maybe(texts),
    correlationid=maybe(texts),
    causationid=maybe(texts),
    replayof=maybe(texts),
    possibleduplicateof=maybe(texts),
)


@given(trades)
def test_a_trade_comes_back_from_the_wire(trade: Trade) -> None:
    assert load(TradeSchema, parse(dump(body(TradeSchema, trade)))) == trade


@given(alerts)
def test_an_alert_comes_back_from_the_wire(alert: Alert) -> None:
    assert load(AlertSchema, parse(dump(body(AlertSchema, alert)))) == alert


@given(predictions)
def test_a_prediction_comes_back_from_the_wire(prediction: Prediction) -> None:
    assert load(PredictionSchema, parse(dump(body(PredictionSchema, prediction)))) == prediction


@given(receipts)
def test_a_receipt_comes_back_from_the_wire(receipt: Receipt) -> None:
    assert load(ReceiptSchema, parse(dump(body(ReceiptSchema, receipt)))) == receipt


@given(trades)
def test_a_trade_keeps_every_digit(trade: Trade) -> None:
    spelled = body(TradeSchema, trade)
    assert wire(load(TradeSchema, spelled)) == spelled


@given(envelopes)
def test_an_envelope_comes_back_and_is_written_as_the_same_bytes(envelope: Envelope) -> None:
    payload = encode(envelope)
    assert decode(payload) == envelope
    assert encode(decode(payload)) == payload


@given(envelopes)
def test_a_completed_head_is_the_envelope(envelope: Envelope) -> None:
    head = encode_head(replace(envelope, sequence=None, previoussequence=None, possibleduplicateof=None))
    whole = complete(
        head,
        sequence=envelope.sequence,
        previous=envelope.previoussequence,
        possible_duplicate_of=envelope.possibleduplicateof,
    )
    assert whole == encode(envelope)


@given(st.binary() | documents.map(dump))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    with suppress(ContractError):
        decode(payload)


FIELDS = [
    *TradeSchema().fields,
    *PredictionSchema().fields,
    *ReceiptSchema().fields,
    *("value", "target", "raw", "price", "name", "long", "0.5"),
]
messes = st.recursive(
    documents,
    lambda inner: st.dictionaries(st.sampled_from(FIELDS) | texts, inner, max_size=8),
    max_leaves=20,
)


@given(messes, st.sampled_from([TradeSchema, AlertSchema, PredictionSchema, ReceiptSchema]))
def test_any_document_is_loaded_or_refused_with_faults_that_have_a_place(document: Any, schema: Any) -> None:
    record, faults = None, ()
    try:
        record = load(schema, document)
    except ContractError as error:
        faults = error.faults
    if record is None:
        assert faults
        assert all(fault.where for fault in faults) is isinstance(document, dict)
    else:
        assert load(schema, parse(dump(wire(record)))) == record


@given(decimals)
def test_a_decimal_is_exact(value: Decimal) -> None:
    text = exact_text(value)
    assert exact(text) == value
    assert exact_text(exact(text)) == text


@given(st.text("0123456789.-+eE ", max_size=45) | st.floats().map(repr) | st.decimals().map(str))
def test_a_text_is_an_exact_decimal_or_refused(text: str) -> None:
    try:
        value = exact(text)
    except ValueError:
        return
    assert exact_text(value) == text.removeprefix("-" if value == 0 else "")


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)))  # noqa: DTZ001
def test_an_instant_of_any_zone_is_the_same_instant(value: datetime) -> None:
    assume(value.utcoffset() is not None)
    assert instant(instant_text(value)) == value.astimezone(UTC)
    assert from_micros(to_micros(value)) == value.astimezone(UTC)


@given(st.text())
def test_a_segment_is_safe_and_comes_back(text: str) -> None:
    try:
        segment = encode_segment(text)
    except TopicError:
        return
    assert set(segment) <= {*ALPHABET, "%"}
    assert len(segment) <= 128
    assert decode_segment(segment) == text


@given(
    st.builds(SignalTopic, st.sampled_from(["trade", "prediction", "alert"]), names, st.text(min_size=1), st.booleans())
)
def test_a_topic_comes_back(place: SignalTopic) -> None:
    topics = Topics(root="desk/signals")
    try:
        topic = topics.signal(place)
    except TopicError:
        return
    assert topics.parse(topic) == place
    assert topic.count("/") == 5


@given(st.text() | st.lists(st.text(), max_size=6).map("/".join).map("signals/v1/".__add__))
def test_a_topic_is_read_as_what_builds_it_or_refused(topic: str) -> None:
    topics = Topics()
    try:
        place = topics.parse(topic)
    except TopicError:
        return
    built = topics.signal(place) if isinstance(place, SignalTopic) else getattr(topics, place.kind)(place.name)
    assert built == topic
