"""The envelope, the identity and the draft."""

import json

import pytest

from gateway.errors import Code, Refused
from gateway.intake import Source, each, identify, normalise, parse
from schemas.envelope import complete, decode
from schemas.record import load
from schemas.topics import Mode
from schemas.trade import Side, TradeSchema

SOURCE = Source(name="demo")


def identity(body, *, source=SOURCE, header_key=None):
    (document,) = parse(body.encode(), source=source).documents
    return identify(document, normalise(document, source=source), source=source, header_key=header_key)


def test_a_draft_holds_what_the_journal_needs(take, now):
    (draft,) = take('{"ticker":"BTCUSDT.P","action":"sell","market_position":"flat","timenow":"2026-11-22T10:15:00Z"}')
    assert (draft.source, draft.body, draft.mode, draft.effect) == ("demo", "trade", "live", "reduce")
    assert (draft.instrument, draft.key) == ("BTC-USDT-PERP", "demo/BTC-USDT-PERP")
    assert (draft.accepted_at, draft.expires_at) == (now, now - 1_500_000 + 900_000_000)


def test_its_head_is_a_readable_envelope_once_completed(take):
    (draft,) = take(
        '{"ticker":"BTCUSDT","action":"sell","market_position":"flat"}', source=Source(name="s", mode=Mode.PAPER)
    )
    envelope = decode(complete(draft.head, sequence=7))
    assert (envelope.source, envelope.type, envelope.subject) == ("/sources/s", "signal.trade.v1", "BTC-USDT")
    assert (envelope.mode, envelope.partitionkey) == (Mode.PAPER, "s/BTC-USDT")
    assert load(TradeSchema, envelope.data).position.target is Side.FLAT


def test_an_alert_without_an_instrument_is_on_the_dash(take):
    (draft,) = take("hello")
    assert (draft.instrument, draft.key, draft.effect, draft.body) == ("-", "demo/-", "", "alert")
    assert decode(draft.head).subject is None


def test_a_strange_instrument_stays_in_its_own_segment(take):
    (draft,) = take('{"ticker":"A/../#+$SYS\\u0000","action":"buy"}')
    assert draft.key == "demo/A%2F%2E%2E%2F%23%2B%24SYS%00"
    assert decode(draft.head).subject == draft.key.removeprefix("demo/")
    assert draft.instrument == "A/../#+$SYS\x00"


def test_a_signal_larger_than_the_road_is_refused(take):
    with pytest.raises(Refused) as refused:
        take('{"text":"x","more":"' + "y" * 70_000 + '"}')
    assert refused.value.code is Code.TOO_LARGE


def test_equal_documents_have_one_fingerprint_whatever_the_order_of_their_keys():
    one, other = '{"ticker":"X","action":"buy","q":1.0}', '{"q":1.0,"action":"buy","ticker":"X"}'
    assert identity(one).fingerprint == identity(other).fingerprint
    assert identity(one).fingerprint != identity(one.replace("1.0", "1.1")).fingerprint
    assert identity(one).fingerprint != identity(one, source=Source(name="other")).fingerprint


def test_a_secret_is_no_part_of_the_fingerprint():
    one = '{"ticker":"X","action":"buy","passphrase":"one"}'
    assert identity(one).fingerprint == identity(one.replace('"one"', '"two"')).fingerprint


@pytest.mark.parametrize("more", ['"timenow":"2026-11-22T10:15:00Z"', '"id":"42"', '"alertTimestamp":"X-1"'])
def test_with_an_id_or_its_time_a_repeat_is_a_duplicate_at_once(more):
    found = identity('{"ticker":"X","action":"buy",' + more + "}")
    assert (found.duplicate_after, found.duplicate_until) == (0, 30_000_000)


@pytest.mark.parametrize("body", ['{"ticker":"X","action":"buy","order_id":"Long"}', "BTC up", '{"text":"BTC up"}'])
def test_with_neither_only_what_comes_when_tradingview_sends_again_is_a_duplicate(body):
    found = identity(body)
    assert (found.duplicate_after, found.duplicate_until) == (4_000_000, 25_000_000)


def test_the_source_decides_whether_duplicates_are_dropped():
    assert identity("x").drop
    assert not identity("x", source=Source(name="demo", drop_duplicates=False)).drop


def test_a_key_comes_from_the_body_or_the_header_without_its_quotes():
    canonical = '{"action":"buy","instrument":{"raw":"X"},"idempotency_key":"b"}'
    assert identity(canonical, header_key="h").key == "b"
    assert identity("x", header_key=' "h 1" ').key == "h 1"
    assert identity("x", header_key="h").key == "h"
    assert identity("x").key is None


@pytest.mark.parametrize("header", ["", '""', "k" * 257])
def test_a_key_that_is_empty_or_too_long_is_refused(header):
    with pytest.raises(Refused) as refused:
        identity("x", header_key=header)
    assert refused.value.faults[0].where == "Idempotency-Key"


def test_an_array_passes_whole_or_names_every_bad_index():
    body = b'[{"ticker":"X","action":"buy"},{"action":"bye"},{"ticker":"X","action":"buy","quantity":"NaN"},{}]'
    with pytest.raises(Refused) as refused:
        each(parse(body, source=SOURCE), lambda document: normalise(document, source=SOURCE))
    assert [fault.where for fault in refused.value.faults] == ["[1].action", "[2].quantity", "[3]"]


def test_an_array_reports_at_most_20_faults():
    body = b"[" + b",".join([b'{"action":"bye"}'] * 50) + b"]"
    with pytest.raises(Refused) as refused:
        each(parse(body, source=SOURCE), lambda document: normalise(document, source=SOURCE))
    assert len(refused.value.faults) == 20


TOPICAL = ["#", "+", "/", "$", ".", "$SYS/#", "a/+/b", "\x00", "../x", "%2F"]
FIELDS = ["ticker", "exchange", "action", "order_id", "comment", "strategy", "account", "interval", "message", "mood"]


@pytest.mark.parametrize("text", TOPICAL)
@pytest.mark.parametrize("field", FIELDS)
def test_topic_characters_in_a_field_change_no_partition_key(take, field, text):
    body = json.dumps({"ticker": "BTCUSDT", "action": "buy", field: text})
    if field == "action" or (field == "ticker" and not any(map(str.isalnum, text))):
        with pytest.raises(Refused) as refused:
            take(body)
        assert refused.value.faults[0].where == field
        return
    (draft,) = take(body)
    source, _, segment = draft.key.partition("/")
    assert source == "demo"
    assert not set(segment) & set("#+/$.\x00")
    assert field == "ticker" or segment == "BTC-USDT"


def test_the_headers_key_is_each_documents_own_in_a_request_of_several():
    """Entries of one request share the header's key and differ by their places; a key of their own wins."""
    source, keys = Source(name="demo"), []
    for place, own in (("", None), ("[1]", None), ("[2]", "own")):
        document = {"ticker": "BTCUSDT", "action": "buy"} | ({"idempotency_key": own} if own else {})
        signal = normalise(document, source=source)
        keys.append(identify(document, signal, source=source, header_key="k", place=place).key)
    assert keys == ["k", "k[1]", "own"]
