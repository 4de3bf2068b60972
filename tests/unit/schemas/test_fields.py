"""Scalars: exact decimals and instants lose nothing, and what is not exact is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.fields import (
    Choice,
    ExactDecimal,
    Flag,
    Instant,
    Name,
    Number,
    Object,
    exact,
    exact_text,
    from_micros,
    instant,
    instant_text,
    is_name,
    to_micros,
)
from schemas.trade import Side


@pytest.mark.parametrize(
    "text", ["0", "-12", "0.5", "0.10", "1" * 38, "0." + "1" * 37, "-" + "9" * 19 + "." + "9" * 19]
)
def test_an_exact_decimal_keeps_every_digit(text: str) -> None:
    assert exact_text(exact(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", "+1", "01", "00", "-01", "1.", ".5", "1e3", "1E3", "0x1", "NaN", "Infinity", "1,5"),
        *("1_000", "--1", "-", "1.2.3", "\u0661", "1" * 39, "0." + "1" * 38, "1" * 5000),
    ],
)
def test_what_is_no_exact_decimal_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(ValueError, match="is not a decimal") as raised:
        exact(text)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("1.50E-3", "0.00150"), ("1E+37", "1" + "0" * 37), ("1E-37", "0." + "0" * 36 + "1")],
)
def test_an_exponent_is_written_out(value: str, text: str) -> None:
    assert exact_text(Decimal(value)) == text


@pytest.mark.parametrize(("value", "text"), [("-0", "0"), ("-0.00", "0.00"), ("0E+5", "0"), ("0E-3", "0.000")])
def test_zero_has_no_sign(value: str, text: str) -> None:
    assert exact_text(Decimal(value)) == text


@pytest.mark.parametrize(
    "value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+38", "1E-38", "1E+999999", "1E-999999", "0E-99999", "1" * 39]
)
def test_a_decimal_that_no_reader_would_take_is_not_written(value: str) -> None:
    with pytest.raises(ValueError, match="digits") as raised:
        exact_text(Decimal(value))
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-22T10:15:01Z", "2026-11-22T10:15:01.000000Z"),
        ("2026-11-22T10:15:01.1Z", "2026-11-22T10:15:01.100000Z"),
        ("2026-11-22T10:15:01.123456789Z", "2026-11-22T10:15:01.123456Z"),
        ("2026-11-22T10:15:01.999999999Z", "2026-11-22T10:15:01.999999Z"),
        ("2026-11-22T00:15:01+05:30", "2026-11-21T18:45:01.000000Z"),
        ("2026-12-31T20:00:00-05:00", "2027-01-01T01:00:00.000000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_utc_to_the_microsecond(text: str, utc: str) -> None:
    assert instant_text(instant(text)) == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T10:15:01",
        "2026-11-22 10:15:01Z",
        "2026-11-22T10:15Z",
        "2026-11-22T10:15:01z",
        "2026-11-22T10:15:01.Z",
        "2026-11-22T10:15:01.1234567890Z",
        "2026-11-22T10:15:01+0530",
        "2026-11-22T10:15:01+24:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "12026-11-22T10:15:01Z",
        "2026-11-22T10:15:01Z\n",
        "\u0662\u0660\u0662\u0666-11-22T10:15:01Z",
        "x" * 5000,
    ],
)
def test_what_is_no_instant_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(ValueError, match="is not a") as raised:
        instant(text)
    assert len(str(raised.value)) < 250


def test_a_time_without_a_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="no zone"):
        instant_text(datetime(2026, 11, 22))  # noqa: DTZ001


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert instant_text(datetime(2026, 1, 1, 5, 45, tzinfo=kathmandu)) == "2026-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("micros", [0, 1, -1, 1795352101123456, 253402300799999999, -62135596800000000])
def test_microseconds_come_back_exactly(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros
    assert from_micros(micros).tzinfo is UTC


@pytest.mark.parametrize("text", ["a", "A-Z_09", "x" * 128, "-", "_"])
def test_a_name_is_a_topic_segment_as_it_is(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        (ExactDecimal(), [1, 1.5, True, [], {}, "1e3", "NaN"]),
        (Instant(), [0, 1795352101, True, [], {}, "now"]),
        (Number(), ["1", "nan", True, False, [], {}, float("nan"), float("inf"), 10**400]),
        (Flag(), [0, 1, "true", "yes", 1.0, [], {}]),
        (Choice(Side), ["Long", "LONG", "", " long", 0, True, [], {}, "sideways"]),
        (Object(), ["{}", [], 1, True]),
        (Object(values=Number()), [{"a": "1"}]),
        (Name(), ["", "a b", "a/b", "x" * 129, 1, []]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_a_field_refuses_what_only_resembles_its_kind(field: Any, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ValidationError):
            field.deserialize(value)


def test_a_word_of_a_closed_list_is_a_member() -> None:
    assert Choice(Side).deserialize("long") is Side.LONG


def test_a_wrong_word_is_answered_with_the_right_ones() -> None:
    with pytest.raises(ValidationError, match="must be one of: long, short, flat"):
        Choice(Side).deserialize("sideways")
