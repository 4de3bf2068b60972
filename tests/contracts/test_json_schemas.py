"""The JSON Schemas say what the readers take: no less, and no more than words between fields can hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator as Validator
from marshmallow import Schema, fields, validate

from gateway.livestream.standing import Word
from schemas.envelope import TRADE, EnvelopeSchema, schema_urn
from schemas.errors import ContractError
from schemas.export import Components, json_schemas
from schemas.export.messages import BODIES, COMMANDS, PLAIN, schema_name
from schemas.fields import ExactDecimal
from schemas.record import RecordSchema, load
from schemas.rpc import read_reply, read_request
from schemas.signature import SignedSchema
from schemas.telemetry import read
from schemas.topics import TELEMETRY
from tests.golden.commands import REPLIES, REQUESTS
from tests.golden.messages import MESSAGES
from tests.golden.test_v1 import FOLDER, golden

SCHEMAS = json_schemas()
VALIDATORS = {name: Validator(schema) for name, schema in SCHEMAS.items()}


def problems(name: str, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATORS[name].iter_errors(document)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one_of_draft_2020_12(name: str) -> None:
    assert SCHEMAS[name]["$schema"] == Validator.META_SCHEMA["$id"]
    Validator.check_schema(SCHEMAS[name])


def test_there_is_a_schema_of_every_body_every_envelope_every_command_and_every_channel() -> None:
    bodies = {schema_name(type_) for type_ in BODIES}
    told = {f"telemetry.{channel}" for channel in TELEMETRY}

    assert set(SCHEMAS) == {"envelope", *bodies, *(f"envelope.{body}" for body in bodies), *COMMANDS, *PLAIN, *told}
    assert {message.envelope.type for message in MESSAGES.values()} == set(BODIES)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_golden_message_is_valid_as_an_envelope_as_its_own_kind_and_in_its_body(name: str) -> None:
    document = json.loads(golden(name))
    body = schema_name(document["type"])

    assert problems("envelope", document) == []
    assert problems(f"envelope.{body}", document) == []
    assert problems(body, document["data"]) == []


@pytest.mark.parametrize("type_", BODIES)
def test_a_body_is_known_by_the_dataschema_of_its_envelopes(type_: str) -> None:
    assert SCHEMAS[schema_name(type_)]["$id"] == schema_urn(type_)


@pytest.mark.parametrize("name", [*REQUESTS, *REPLIES])
def test_a_golden_command_is_valid(name: str) -> None:
    assert problems("command.request" if name in REQUESTS else "command.reply", json.loads(golden(name))) == []


def test_what_the_golden_signature_covers_is_valid() -> None:
    payload = json.loads(json.loads(golden("command_signature"))["payload"])

    assert problems("command.signed", payload) == []
    assert problems("command.stop", payload["data"]) == []


@pytest.mark.parametrize("channel", TELEMETRY)
def test_golden_telemetry_is_valid(channel: str) -> None:
    assert problems(f"telemetry.{channel}", json.loads((FOLDER / "telemetry" / f"{channel}.json").read_bytes())) == []


@pytest.mark.parametrize("target_pct", [None, 0.0042])
@pytest.mark.parametrize("why", ["", "the prediction expired"])
def test_what_ai_livestream_is_told_is_valid(why: str, target_pct: float | None) -> None:
    said = json.loads(Word(id="one", pair="BTC-USDT", at=1, target_pct=target_pct, why=why).payload)

    assert problems("hummingbot.ml_signals", said) == []
    for wrong in ([0.5, 0.5], [0, 0, 0, 1], [0, -1, 2], ["0", "1", "0"], None):
        assert problems("hummingbot.ml_signals", said | {"probabilities": wrong})


SPECIAL = (
    None, True, 0, 1, -1, 0.5, 3.0, 1e300, "", "x", "0", "-0", "0.0", "1.50", "-1.5", "01", "1e5", "+1", ".5", "1.",
    "1" * 38, "1" * 39, f"0.{'1' * 38}", "NaN", "2026-11-22T10:15:01Z", "2026-11-22T10:15:01.123456789+02:00",
    "2026-11-22T10:15:01", "2026-11-22 10:15:01Z", "2026-13-22T10:15:01Z", "2026-11-22T24:15:01Z",
    "2026-11-22T10:15:01+24:00", "0000-01-01T00:00:00Z", "BTC-USDT", "BTC USDT", "A-B-C", "BTC/USDT", "long", "Long",
    "buy", "0" * 20, "1" * 20, "0" * 19, "n" * 64, "n" * 65, "n" * 128, "n" * 129, "n" * 257, "ü", [], [None], ["1"],
    ["x", "1"], [1], {}, {"x": None}, {"x": 1}, {"x": "1.5"}, {"raw": "BTC"}, {"raw": ""}, {"name": "m"},
    {"value": "1"},
)  # fmt: skip
"""Values on both sides of what some field takes."""


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, value in inner:
        yield from places(value, (*path, name))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = deepcopy(document)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


@pytest.fixture(scope="module")
def fields_alone() -> Iterator[None]:
    """Readers that do not look at what holds between fields: JSON Schema tells that in words."""
    with pytest.MonkeyPatch.context() as patch:
        for schema in every_schema(RecordSchema):
            if "check" in vars(schema):
                patch.delattr(schema, "check")
        yield


def every_schema(schema: type[RecordSchema]) -> Iterator[type[RecordSchema]]:
    for inner in schema.__subclasses__():
        yield inner
        yield from every_schema(inner)


def takes(schema: type[RecordSchema], document: Any) -> bool:
    try:
        load(schema, document)
    except ContractError:
        return False
    return True


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.usefixtures("fields_alone")
def test_a_schema_and_the_reader_agree_whatever_stands_in_a_field(name: str) -> None:
    document = json.loads(golden(name))["data"]
    body = schema_name(json.loads(golden(name))["type"])
    for path in places(document):
        for value in SPECIAL:
            changed = replaced(document, path, value)

            assert (problems(body, changed) == []) == takes(MESSAGES[name].schema, changed), (path, value)


@pytest.mark.usefixtures("fields_alone")
def test_an_envelopes_schema_and_its_reader_agree_whatever_stands_in_an_attribute() -> None:
    document = json.loads(golden("trade"))
    for name in [name for name in document if name not in {"specversion", "datacontenttype"}]:
        for value in SPECIAL:
            changed = {**document, name: value}

            assert (problems("envelope", changed) == []) == takes(EnvelopeSchema, changed), (name, value)


DECIMAL = r"\A[-+]?0{0,2}[0-9]{0,40}(\.[0-9]{0,40})?([eE][0-9])?\Z"
DAY = r"[1-9][0-9]{3}-[01][0-9]-[0-2][0-8]"
TIME = rf"\A{DAY}T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{{0,10}})?(Z|[+-][0-2][0-9]:[0-6][0-9])?\Z"
"""Nearly a time, on a day that every month has, and not so early or late that an offset ends its era."""


@pytest.mark.property
@given(data=st.data())
@pytest.mark.usefixtures("fields_alone")
def test_a_schema_and_the_reader_agree_on_any_text_of_a_decimal_and_of_a_time(data: st.DataObject) -> None:
    document = json.loads(golden("trade"))["data"]
    text = data.draw(st.from_regex(DECIMAL) | st.from_regex(TIME))
    for path in (("order", "price"), ("order", "leverage"), ("position", "size"), ("bar", "opened_at")):
        changed = replaced(document, path, text)

        assert (problems("signal.trade", changed) == []) == takes(BODIES[TRADE], changed), (path, text)


def test_what_holds_between_fields_is_told_in_words() -> None:
    told = [schema for schema in every_schema(RecordSchema) if schema.__module__.startswith("schemas.")]

    assert [schema.__name__ for schema in told if "check" in vars(schema) and not vars(schema)["check"].__doc__] == []
    assert "sum to 1" in SCHEMAS["signal.prediction"]["$defs"]["Probabilities"]["description"]


@pytest.mark.parametrize("field", [fields.Email(), fields.String(validate=validate.Equal("x"))])
def test_a_field_or_a_rule_that_has_no_schema_is_an_error_and_not_a_guess(field: fields.Field) -> None:
    class NewSchema(Schema):
        new = field

    with pytest.raises(TypeError, match="has no JSON Schema"):
        Components("#/$defs/").spell(NewSchema)


def test_a_decimals_text_is_held_to_no_bound_but_its_sign() -> None:
    class NewSchema(Schema):
        new = ExactDecimal(validate=validate.Range(min=1))

    with pytest.raises(TypeError, match="cannot be held"):
        Components("#/$defs/").spell(NewSchema)


def test_two_schemas_of_one_name_are_an_error() -> None:
    parts = Components("#/$defs/")
    parts.refer(SignedSchema)

    with pytest.raises(ValueError, match="two schemas are called Signed"):
        parts.refer(type("SignedSchema", (Schema,), {}))


UNKNOWN = {"from_a_newer_minor_version": {"deep": [1]}}


def with_unknown(document: Any) -> Any:
    """The same with an unknown field in every object that is a record."""
    if isinstance(document, list):
        return [with_unknown(one) for one in document]
    if not isinstance(document, dict):
        return document
    return {name: with_unknown(value) if name not in OPEN else value for name, value in document.items()} | UNKNOWN


OPEN = frozenset({"extra", "indicators", "features", "quantiles"})
"""What has fields of any name anyway."""


@pytest.mark.parametrize("name", MESSAGES)
def test_unknown_fields_are_valid_and_ignored_in_every_body_at_every_depth(name: str) -> None:
    document = json.loads(golden(name))
    newer = with_unknown(document)
    later = newer | {"dataschema": f"{document['dataschema'].removesuffix('1.0')}1.7"}

    assert problems(f"envelope.{schema_name(document['type'])}", later) == []
    assert load(EnvelopeSchema, {**later, "data": document["data"]}).dataschema == later["dataschema"]
    assert load(EnvelopeSchema, {**newer, "data": document["data"]}) == MESSAGES[name].envelope
    assert load(MESSAGES[name].schema, newer["data"]) == MESSAGES[name].body


@pytest.mark.parametrize("name", MESSAGES)
def test_null_is_valid_and_absent_where_a_field_is_not_required(name: str) -> None:
    schema = MESSAGES[name].schema
    document = json.loads(golden(name))
    absent = {
        field: None for field, how in schema().fields.items() if not how.required and field not in document["data"]
    }
    newer = document["data"] | absent

    assert problems(schema_name(document["type"]), newer) == []
    assert load(schema, newer) == MESSAGES[name].body


@pytest.mark.parametrize("name", [*REQUESTS, *REPLIES])
def test_unknown_fields_of_a_command_are_valid_and_ignored(name: str) -> None:
    document = json.loads(golden(name))
    newer = {**document, "header": document["header"] | UNKNOWN, **UNKNOWN}
    payload = json.dumps(newer).encode()

    assert problems("command.request" if name in REQUESTS else "command.reply", newer) == []
    assert (read_request(payload) == REQUESTS[name]) if name in REQUESTS else (read_reply(payload) == REPLIES[name])


@pytest.mark.parametrize("channel", [channel for channel in TELEMETRY if channel != "performance"])
def test_unknown_fields_of_telemetry_are_valid_and_ignored(channel: str) -> None:
    document = json.loads((FOLDER / "telemetry" / f"{channel}.json").read_bytes())
    newer = document | UNKNOWN

    assert problems(f"telemetry.{channel}", newer) == []
    assert read(channel, json.dumps(newer).encode()) == read(channel, json.dumps(document).encode())
