"""Bytes to documents, and what is said of bytes that are none."""

from decimal import Decimal

import pytest

from gateway.errors import Code, Refused
from gateway.intake import Format, Source, parse

SOURCE = Source(name="demo")


def refusal(body, **options):
    with pytest.raises(Refused) as refused:
        parse(body if isinstance(body, bytes) else body.encode(), source=SOURCE, **options)
    assert refused.value.code is Code.UNREADABLE
    return refused.value.faults[0]


def test_an_object_an_array_and_a_text_are_told_apart_by_their_bytes():
    assert parse(b' {"a": 1}', source=SOURCE).documents == ({"a": Decimal(1)},)
    assert parse(b'[{"a": 1}, {}]', source=SOURCE).is_array
    assert parse(b"BTC up", source=SOURCE).documents == ("BTC up",)


def test_numbers_stay_exactly_as_they_were_sent():
    (document,) = parse(b'{"a": 37774.433333333334, "b": 0.10, "c": 12345678901234567890}', source=SOURCE).documents
    assert [str(value) for value in document.values()] == ["37774.433333333334", "0.10", "12345678901234567890"]


def test_a_byte_order_mark_is_ignored():
    assert parse(b'\xef\xbb\xbf{"a": 1}', source=SOURCE).documents == ({"a": Decimal(1)},)
    assert parse(b"\xef\xbb\xbfhello", source=SOURCE).documents == ("hello",)


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_refused(body):
    assert "empty" in refusal(body).problem


def test_invalid_utf8_is_refused_with_its_byte_and_offset():
    assert "0xff at offset 9" in refusal(b'{"text":"\xff"}').problem
    assert "UTF-16" in refusal('{"a":1}'.encode("utf-16")).cause


def test_a_key_that_occurs_twice_is_refused_by_name_and_place():
    fault = refusal('{"price": 1,\n "price": 2}')
    assert (fault.where, fault.line, fault.column) == ("price", 2, 2)
    assert "twice" in fault.problem


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_with_its_field(name):
    fault = refusal(f'{{"ticker": "X", "quantity": {name}}}')
    assert (fault.where, fault.found, fault.line, fault.column) == ("quantity", name, 1, 29)


@pytest.mark.parametrize(
    "number", ["9" * 5000, "1e999999", "-1E+309", "1e-999999", "0." + "1" * 200, "1e99999999999999999"]
)
def test_a_number_that_no_market_has_is_refused(number):
    fault = refusal(f'{{"a": {number}}}')
    assert fault.where == "a"
    assert "too large" in fault.problem
    assert len(fault.found) <= 80


@pytest.mark.parametrize(
    "body", ["[" * 100 + "]" * 100, "[" * 100_000, '{"a":' * 100 + "1" + "}" * 100, '{"a":' * 50_000]
)
def test_deep_nesting_is_refused(body):
    assert "nested deeper than 32" in refusal(body).problem


def test_thirty_two_levels_are_not_deep():
    body = '{"a":' * 32 + "1" + "}" * 32
    assert parse(body.encode(), source=SOURCE).documents


def test_half_a_surrogate_pair_is_refused():
    assert "surrogate" in refusal('{"a": "\\ud800"}').problem
    assert parse(b'{"a": "\\ud83d\\ude00"}', source=SOURCE).documents == ({"a": "\U0001f600"},)


@pytest.mark.parametrize(("body", "problem"), [("[]", "0 entries"), ("[" + "{}," * 1000 + "{}]", "1001 entries")])
def test_an_array_has_1_to_1000_entries(body, problem):
    assert problem in refusal(body).problem


def test_every_entry_of_an_array_that_is_no_object_is_named():
    with pytest.raises(Refused) as refused:
        parse(b'[{}, 1, "x", {}, [2]]', source=SOURCE)
    assert [fault.where for fault in refused.value.faults] == ["[1]", "[2]", "[4]"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"a": 1,}', "comma before"),
        ('[{"a": 1},]', "comma before"),
        ("{“a”: 1}", "smart quote"),
        ('{"a": “x”}', "smart quote"),
        ("{'a': 1}", "single quote"),
        ("{a: 1}", "key has no quotes"),
        ('{"a": BTCUSDT}', "text has no quotes"),
        ('{"a": 1INCHUSDT}', "text has no quotes"),
        ('{"a": 2026-11-22T10:15:00Z}', "text has no quotes"),
        ('{"a": 1, // b\n "c": 2}', "comment"),
        ('{"a": 1 /* b */}', "comment"),
        ('{"a": 1} // b', "comment"),
        ('{"a": 1\n "b": 2}', "comma is missing"),
        ('{"a": {} "b": 2}', "comma is missing"),
        ('{"a": "x "b": 1}', "quote"),
        ('{"a": "x, "b": 1}', "quote is missing"),
        ('{"a": "x,\n "b": 1}', "quote is missing"),
        ('{"a": Long at 5"}', "quote is missing"),
        ('{"a": "x}', "quote is missing"),
        ('{"a": "x', "too early"),
        ('{"a": 1', "too early"),
        ("{", "too early"),
        ('{"a": "one\ntwo"}', "line break"),
        ('{"a": "tab\there"}', "control character 0x09"),
        ('{""a"": ""b""}', "doubled"),
        ('{\\"a\\": 1}', "escaped twice"),
        ('{"comment": "Exit "TP1""}', "unescaped quotes"),
        ('{"comment": ""TP1" hit"}', "unescaped quotes"),
        ('{"a": nan}', "not a number"),
        ('{"a": {{close}}}', "placeholder {{close}}"),
        ("{{strategy.order.action}} now", "placeholder {{strategy.order.action}}"),
        ('{"a": .5}', "number is not spelled"),
        ('{"a": 05}', "number is not spelled"),
        ('{"a": None}', "word is not JSON"),
        ('{"a": }', "value is missing"),
        ('{"a": "\\x"}', "backslash"),
        ('{"a": 1}{"a": 2}', "second value"),
        ('{"a": 1}}', "closing bracket too many"),
        ('{"a": [1}', "bracket does not match"),
    ],
)
def test_broken_json_is_refused_with_its_place_and_likely_cause(body, problem):
    fault = refusal(body)
    assert problem in fault.problem
    assert fault.cause
    assert fault.line is not None
    assert fault.column is not None
    assert fault.found is None or len(fault.found) <= 80


def test_the_place_of_a_mistake_is_the_line_and_column_that_an_editor_shows():
    fault = refusal('{\n  "ticker": "X",\n  "action": "buy",\n}')
    assert (fault.line, fault.column, fault.found) == (4, 1, "}")


def test_a_secret_is_in_no_excerpt():
    for body in (
        '{"passphrase": hunter-2-hunter}',
        '{"passphrase": "hunter-2-hunter" "a": 1}',
        '{"passphrase": "hunter-2-hunter',
        "{passphrase:'hunter-2-hunter'}",
        '{"passphrase": "hunter-2-hunter"x"}',
    ):
        assert "hunter" not in str(refusal(body))


def test_the_secrets_shown_are_in_no_document_and_no_excerpt():
    (document,) = parse(b'{"note": "via /hooks/x/tok-123456"}', source=SOURCE, secrets=["tok-123456"]).documents
    assert document == {"note": "via /hooks/x/[redacted]"}
    assert "tok-123456" not in str(refusal('{"note": tok-123456}', secrets=["tok-123456"]))
    (escaped,) = parse(b'{"note": "tok\\u002d123456"}', source=SOURCE, secrets=["tok-123456"]).documents
    assert escaped == {"note": "[redacted]"}


def test_the_sources_own_secret_keys_are_redacted():
    source = Source(name="demo", body_key="Door Code", secret_keys=("my_alias",))
    (document,) = parse(b'{"door_code": "1", "MyAlias": 2, "id": 3}', source=source).documents
    assert document == {"door_code": "[redacted]", "MyAlias": "[redacted]", "id": Decimal(3)}


def test_a_format_that_is_asked_for_is_kept_to():
    source = Source(name="tv")

    assert parse(b'{"action": "buy"}', source=source, as_=Format.TEXT).documents == ('{"action": "buy"}',)
    assert parse(b'{"action": "buy"}', source=source, as_=Format.JSON).documents == ({"action": "buy"},)
    with pytest.raises(Refused, match="not JSON"):
        parse(b"buy", source=source, as_=Format.JSON)
