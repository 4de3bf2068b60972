"""The envelope: one writer, one reader, and every fault with its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.document import dump
from schemas.envelope import (
    MAX_SEQUENCE,
    RECEIPT,
    SIGNALS,
    TRADE,
    Envelope,
    attributes,
    body,
    complete,
    decode,
    encode,
    encode_head,
    schema_urn,
    sequence_text,
)
from schemas.errors import ContractError
from schemas.instrument import Instrument
from schemas.receipt import ReceiptSchema
from schemas.topics import Mode
from schemas.trade import Action, Trade, TradeSchema

AT = datetime(2026, 11, 22, 10, 15, 1, 123456, tzinfo=UTC)
ENVELOPE = Envelope(
    id="1",
    source="/sources/tv",
    type=TRADE,
    time=AT,
    expirytime=AT,
    mode=Mode.LIVE,
    subject="BTC-USDT",
    data={"a": {"sequence": "x"}},
)
WIRE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/sources/tv",
    "type": TRADE,
    "time": "2026-11-22T10:15:01Z",
    "expirytime": "2026-11-22T10:16:01Z",
    "mode": "live",
    "data": {},
}


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(ContractError) as raised:
        decode(dump(document))
    return {fault.where: fault.problem for fault in raised.value.faults}


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"sequence": 7},
        {"sequence": 7, "previoussequence": 6},
        {"sequence": MAX_SEQUENCE, "possibleduplicateof": 'a"}\u2028é'},
    ],
)
def test_a_completed_head_is_the_envelope(place: dict[str, Any]) -> None:
    whole = replace(ENVELOPE, **place)
    head = encode_head(ENVELOPE)
    completed = complete(
        head,
        sequence=whole.sequence,
        previous=whole.previoussequence,
        possible_duplicate_of=whole.possibleduplicateof,
    )
    assert completed == encode(whole)
    assert decode(completed) == whole


@pytest.mark.parametrize("name", ["sequence", "previoussequence", "possibleduplicateof"])
def test_a_head_has_no_place_yet(name: str) -> None:
    with pytest.raises(ValueError, match="complete already"):
        encode_head(replace(ENVELOPE, **{name: 0 if "sequence" in name else ""}))


def test_attributes_and_fields_of_a_newer_version_are_ignored() -> None:
    newer = WIRE | {"dataref": "x", "zzz": {"deep": [1]}, "data": {"a": 1, "zzz": 2}}
    assert decode(dump(newer)).data == {"a": 1, "zzz": 2}


def test_null_is_absent_as_cloudevents_demands() -> None:
    assert decode(dump(WIRE | {"subject": None, "sequence": None})) == decode(dump(WIRE))


@pytest.mark.parametrize("name", ["id", "source", "type", "time", "data"])
@pytest.mark.parametrize("null", [False, True])
def test_a_required_attribute_that_is_missing_is_named(name: str, *, null: bool) -> None:
    document = {key: value for key, value in WIRE.items() if key != name} | ({name: None} if null else {})
    assert faults(document) == {name: "is missing"}


@pytest.mark.parametrize("type_", sorted(SIGNALS))
@pytest.mark.parametrize("name", ["expirytime", "mode"])
def test_a_signal_without_expiry_or_mode_is_refused(type_: str, name: str) -> None:
    document = {key: value for key, value in WIRE.items() if key != name} | {"type": type_}
    assert list(faults(document)) == [name]


def test_a_receipt_needs_neither_expiry_nor_mode() -> None:
    document = {key: value for key, value in WIRE.items() if key not in {"expirytime", "mode"}} | {"type": RECEIPT}
    assert decode(dump(document)).mode is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""),
        ("id", 1),
        ("id", "x" * 65),
        ("source", ""),
        ("type", []),
        ("time", "2026-11-22T10:15:01"),
        ("time", 1795352101),
        ("time", "0001-01-01T00:00:00+01:00"),
        ("data", []),
        ("data", "{}"),
        ("mode", "LIVE"),
        ("mode", {}),
        ("sequence", 7),
        ("sequence", "7"),
        ("sequence", "\u0660" * 20),
        ("sequence", "-0000000000000000001"),
        ("sequence", "99999999999999999999"),
        ("previoussequence", "09223372036854775808"),
        ("subject", {"a": 1}),
    ],
)
def test_a_wrong_attribute_is_named(name: str, value: Any) -> None:
    assert list(faults(WIRE | {name: value})) == [name]


def test_every_wrong_attribute_is_named_at_once() -> None:
    assert set(faults({"specversion": "1.0", "time": 1, "mode": "x"})) == {
        *("id", "source", "type", "data"),
        *("time", "mode"),
    }


@pytest.mark.parametrize("document", [[], "x", 1, None, {}, {"specversion": "0.3"}, {"specversion": 1.0}])
def test_what_is_no_cloud_event_is_refused(document: Any) -> None:
    assert list(faults(document)) == ["specversion"]


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[" * 100_000, b'{"specversion":"1.0","specversion":"1.0"}', b'{"a":1e999}', b'"\\ud800"'],
)
def test_an_unreadable_payload_is_refused_as_a_whole(payload: bytes) -> None:
    with pytest.raises(ContractError) as raised:
        decode(payload)
    assert [fault.where for fault in raised.value.faults] == [""]


@pytest.mark.parametrize("sequence", [-1, MAX_SEQUENCE + 1, 10**20])
def test_a_sequence_that_a_reader_would_refuse_is_not_written(sequence: int) -> None:
    with pytest.raises(ValueError, match="not a sequence"):
        sequence_text(sequence)


def test_sequences_sort_as_texts_as_they_do_as_numbers() -> None:
    numbers = [0, 9, 10, 99, 1795352101123456, MAX_SEQUENCE]
    assert sorted(map(sequence_text, numbers)) == list(map(sequence_text, numbers))
    assert {len(sequence_text(number)) for number in numbers} == {20}


@pytest.mark.parametrize("data", [{"a": float("nan")}, {"a": float("inf")}, {"a": "\ud800"}, {"\udfff": 1}])
def test_data_that_is_no_json_is_not_written(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(replace(ENVELOPE, data=data))


def test_a_body_is_written_by_its_own_schema_only() -> None:
    with pytest.raises(TypeError, match="ReceiptSchema writes Receipt, not Trade"):
        body(ReceiptSchema, Trade(action=Action.BUY, instrument=Instrument(raw="x")))


def test_a_body_without_end_is_an_error_that_names_it() -> None:
    extra: dict[str, Any] = {}
    extra["again"] = extra
    with pytest.raises(ValueError, match="nested too deeply"):
        body(TradeSchema, Trade(action=Action.BUY, instrument=Instrument(raw="x"), extra=extra))


def test_a_type_names_its_schema_with_the_minor_version() -> None:
    assert schema_urn("signal.trade.v1") == "urn:signal-gateway:signal.trade:1.0"


def test_every_attribute_but_the_data_is_mirrored() -> None:
    mirrored = dict(attributes(encode(replace(ENVELOPE, sequence=7))))
    assert mirrored == {
        "specversion": "1.0",
        "id": "1",
        "source": "/sources/tv",
        "type": TRADE,
        "time": "2026-11-22T10:15:01.123456Z",
        "subject": "BTC-USDT",
        "expirytime": "2026-11-22T10:15:01.123456Z",
        "mode": "live",
        "datacontenttype": "application/json",
        "sequence": "00000000000000000007",
    }


def test_what_the_data_holds_is_never_mirrored() -> None:
    inside = {"data": {"sequence": "1"}, "mode": ',"data":{}', "sequence": "}"}
    plain = attributes(encode(replace(ENVELOPE, sequence=7, previoussequence=6, possibleduplicateof="2")))
    assert (
        attributes(encode(replace(ENVELOPE, sequence=7, previoussequence=6, possibleduplicateof="2", data=inside)))
        == plain
    )
    assert dict(attributes(encode(replace(ENVELOPE, data=inside))))["mode"] == "live"
    assert "sequence" not in dict(attributes(encode(replace(ENVELOPE, data=inside))))


@pytest.mark.parametrize("character", ["\x00", "\n", "\x7f", "\x85", "\ufdd0", "\uffff", "\U0001ffff"])
def test_a_text_that_mqtt_forbids_is_not_mirrored(character: str) -> None:
    assert "subject" not in dict(attributes(encode(replace(ENVELOPE, subject=f"a{character}b"))))


@pytest.mark.parametrize("text", ["é", "🚀", "\u00a0", "\u2028", "\ue000"])
def test_a_text_that_mqtt_allows_is_mirrored(text: str) -> None:
    assert dict(attributes(encode(replace(ENVELOPE, subject=text))))["subject"] == text
