"""Whatever a program posts: a prediction that ends, on its own topic, or a refusal; never anything else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.intake import Door, Line, Predictions, Received, Source
from gateway.journal.model import Draft
from gateway.pipeline import Road, _consider_line, consider
from schemas.envelope import complete, decode
from schemas.fields import micros_text
from schemas.prediction import PredictionSchema
from schemas.record import load, wire
from schemas.topics import SignalTopic, Topics

NOW = 1_795_342_501_500_000
YEAR = 366 * 86_400 * 1_000_000
TOPICS = Topics()
SOURCES = [
    Source(name="ml", predictions=Predictions(models=("btc-lstm",), interval=300.0)),
    Source(name="ml", predictions=Predictions(models=("btc-lstm", "b"), classes=("long", "short", "neutral"))),
]
KEYS = [*PredictionSchema().fields, "pair", "name", "version", "raw", "short", "neutral", "long", "0.5", "0.05", "kind"]
times = st.integers(NOW - 10**10, NOW + 10**10).map(micros_text) | st.datetimes().map(lambda at: at.isoformat() + "Z")
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | times
    | st.text(max_size=20)
    | st.sampled_from(["BTC-USDT", "btc-lstm", "0.5", "1e400", "[redacted]", "{{close}}", "\x00", 1, 0.5, 0])
)  # fmt: skip
keys = st.sampled_from(KEYS) | st.text(max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=10
)
messes = st.dictionaries(keys, values, max_size=10)
good = st.fixed_dictionaries(
    {
        "pair": st.sampled_from(["BTC-USDT", "ETH/USDT:USDT", "x1"]),
        "probabilities": st.just({"short": 0.4, "long": 0.6}),
    },
    optional={
        "horizon": st.floats(1, 1e9) | st.integers(1, 10**9),
        "observed_at": times,
        "produced_at": times,
        "valid_until": times,
        "features": st.dictionaries(st.text(max_size=8), scalars, max_size=3),
        "idempotency_key": st.text(max_size=300),
        "model": st.sampled_from(["btc-lstm", {"name": "btc-lstm"}, {"version": "7"}]),
    },
)
documents = messes | good | st.builds(lambda one, other: one | other, good, messes)


def attempt(body: bytes, source: Source, *, as_line: bool) -> Draft | Refused:
    """What becomes of a body: anything but a draft or a refusal fails the test."""
    received = Received(source="ml", secrets={"bearer": "a-bearer-token"}, body=body, at=NOW, door=Door.PREDICTIONS)
    road = Road(sources={"ml": source}, topics=TOPICS)
    try:
        if as_line:
            return _consider_line(Line(7, body), received, source, road=road, id_="0" * 36)
        return consider(received, source, road=road, new_id=lambda: "0" * 36)[0][0]
    except Refused as refused:
        return refused


@given(documents, st.sampled_from(SOURCES), st.booleans())
def test_any_document_becomes_a_prediction_that_ends_or_is_refused(
    document: dict[str, Any],
    source: Source,
    as_line: bool,  # noqa: FBT001
) -> None:
    """What is taken can be read by any reader, ends within a year, and is on the topic of its source."""
    found = attempt(json.dumps(document).encode(), source, as_line=as_line)
    if isinstance(found, Refused):
        assert found.faults
        assert all(fault.problem for fault in found.faults)
        return
    envelope = decode(complete(found.head, sequence=NOW))
    prediction = load(PredictionSchema, envelope.data)

    assert wire(prediction) == envelope.data
    assert NOW < found.expires_at <= NOW + YEAR
    assert prediction.model.name in source.predictions.models
    place = TOPICS.parse(found.destinations[0].topic)
    assert isinstance(place, SignalTopic)
    assert (place.body, place.source, len(found.destinations)) == ("prediction", "ml", 1)


@given(st.binary(max_size=300) | documents.map(json.dumps).map(str.encode), st.booleans())
@example(b"\xef\xbb\xbf{}", True)
@example(b'{"model": NaN}', True)
@example(b'{"a": 1, "a": 2}', False)
def test_any_bytes_are_a_prediction_or_refused(body: bytes, as_line: bool) -> None:  # noqa: FBT001
    """No bytes break anything, alone or as a line."""
    attempt(body, SOURCES[0], as_line=as_line)


@given(st.text(min_size=6, max_size=40), documents)
def test_a_token_that_a_body_repeats_is_nowhere(token: str, document: dict[str, Any]) -> None:
    """The token that opened the source is in no draft and in no fault."""
    secret = f"sg_{token.encode().hex()}"
    received = Received(source="ml", secrets={"bearer": secret}, body=b"", at=NOW, door=Door.PREDICTIONS)
    body = json.dumps(
        document | {"features": {secret: secret}, "model": {"name": "btc-lstm", "version": secret}}
    ).encode()
    road = Road(sources={}, topics=TOPICS)
    kept = ""
    try:
        kept = _consider_line(Line(1, body), received, SOURCES[0], road=road, id_="0" * 36).head.decode()
    except Refused as refused:
        kept = repr(refused.faults)

    assert kept
    assert secret not in kept
