"""Whatever comes in: documents or a refusal, never anything else; decimals exact, topics unmoved, secrets gone."""

import json
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import Refused
from gateway.formats.words import ACTIONS
from gateway.intake import Source, draft, guard, identify, normalise, parse, seal
from schemas.envelope import complete, decode
from schemas.record import load, wire
from schemas.secrets import SECRET_KEYS, redact, redact_text
from schemas.topics import encode_segment
from schemas.trade import Trade, TradeSchema

SOURCE = Source(name="demo", max_age=1e12)
NOW = 1_795_342_501_500_000

KEYS = [
    "action", "side", "ticker", "symbol", "exchange", "quantity", "price", "sl", "tp", "tp1", "leverage",
    "reduce_only", "order_type", "type", "signal", "time", "timenow", "timestamp", "interval", "close",
    "volume", "market_position", "prev_market_position", "market_position_size", "position_size", "comment",
    "message", "id", "strategy", "order", "bar", "data", "instrument", "indicators", "plot_0", "base", "quote",
    "currency", "unit", "short_sl", "position", "idempotency_key", "passphrase",
]  # fmt: skip
WORDS = [
    *ACTIONS,
    "long",
    "flat",
    "BTCUSDT",
    "ES1!",
    "NaN",
    "null",
    "{{close}}",
    "50%",
    "3x",
    "0",
    "-1",
    "1e9",
    "limit",
    "base",
]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30)
    | st.sampled_from(WORDS)
)  # fmt: skip
keys = st.sampled_from(KEYS) | st.text(max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
documents = st.dictionaries(keys, values, max_size=10)


def attempt(station):
    """What a station returns, or the faults of its refusal: anything else it raises fails the test."""
    try:
        return station(), ()
    except Refused as refused:
        return None, refused.faults


def parsed(document):
    (found,) = parse(json.dumps(document).encode(), source=SOURCE).documents
    return found


def through(document):
    signal = normalise(document, source=SOURCE)
    ends = guard(signal, source=SOURCE, accepted_at=NOW)
    envelope = seal(signal, source=SOURCE, id_="0" * 36, accepted_at=NOW, expires_at=ends, traceparent=None)
    identity = identify(document, signal, source=SOURCE)
    return signal, draft(envelope, signal, source=SOURCE, destinations=(), identity=identity)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(b'{"\xed\xa0\x80":1}')
@example(b"[" * 2000)
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_a_batch_or_refused(body):
    batch, faults = attempt(lambda: parse(body, source=SOURCE))
    assert (batch is None) == bool(faults)
    assert batch is None or batch.documents
    assert all(fault.found is None or len(fault.found) <= 80 for fault in faults)


@given(documents, st.data())
@settings(max_examples=150, deadline=None)
def test_json_that_was_broken_anywhere_is_a_batch_or_refused(document, data):
    text = json.dumps(document)
    at = data.draw(st.integers(0, len(text)))
    junk = data.draw(
        st.sampled_from(["", '"', "'", ",", "}", "]", "{{", "//", "\\", "\n", "“", "NaN", ":", "\x00", "x"])
    )
    body = text[:at] + junk + text[at + data.draw(st.integers(0, 3)) :]
    batch, faults = attempt(lambda: parse(body.encode(errors="replace"), source=SOURCE))
    assert (batch is None) == bool(faults)
    assert all(fault.problem for fault in faults)


@given(documents)
@settings(max_examples=300, deadline=None)
def test_any_document_becomes_a_signal_that_the_contract_reads_back_or_is_refused(document):
    found, faults = attempt(lambda: through(parsed(document)))
    if found is None:
        assert faults
        return
    signal, made = found
    envelope = decode(complete(made.head, sequence=1))
    if isinstance(signal, Trade):
        assert wire(load(TradeSchema, envelope.data)) == envelope.data
    segment = made.key.removeprefix("demo/")
    assert "/" not in segment
    assert segment == ("-" if signal.instrument is None else encode_segment(signal.instrument.name))


@given(st.decimals(min_value=0, max_value=10**15, allow_nan=False, places=12).filter(bool))
def test_a_decimal_arrives_as_it_was_sent_as_number_and_as_text(value):
    text = format(value, "f")
    for spelled in (text, f'"{text}"'):
        body = f'{{"ticker":"X","action":"buy","quantity":{spelled},"price":{spelled}}}'.encode()
        (document,) = parse(body, source=SOURCE).documents
        order = wire(normalise(document, source=SOURCE))["order"]
        assert order["price"] == order["quantity"]["value"] == text
        assert Decimal(order["price"]) == value


@given(documents, st.sampled_from(sorted(SECRET_KEYS)), st.sampled_from(["{}", "my\n{}", "=x;{}"]))
@settings(max_examples=120, deadline=None)
def test_a_secret_under_a_secret_key_is_nowhere_in_the_draft(document, key, shape):
    canary = "Zx9-canary-Zx9"
    document = {**document, key: shape.format(canary)}
    found, faults = attempt(lambda: through(parsed(document)))
    assert canary not in repr(found and found[1])
    assert canary not in repr(faults)


@given(st.text(max_size=300), st.text(st.characters(codec="ascii", min_codepoint=33), min_size=6, max_size=12))
@settings(deadline=None)
def test_redaction_by_value_leaves_nothing_of_the_value(text, secret):
    assert secret not in redact_text(f"{text}{secret}{text}", values=[secret]).replace("[redacted]", "\n")
    assert redact({"note": f"x{secret}"}, values=[secret]) == {"note": redact_text(f"x{secret}", values=[secret])}
