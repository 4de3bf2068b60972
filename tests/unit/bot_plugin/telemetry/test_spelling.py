"""How what a strategy tells is spelled: as Hummingbot does it, in JSON that every reader takes, without secrets."""

from __future__ import annotations

import json
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.telemetry.spelling import MAX_TEXT, Spelling, shortened
from schemas.document import dump

SPELL = Spelling(["ß3cret", "ß"])


class OrderType(Enum):
    LIMIT = 1


class Position(StrEnum):
    NIL = "NIL"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Fee:
    percent: Decimal
    flat: tuple[Any, ...]


Fill = namedtuple("Fill", ["price", "fee"])  # noqa: PYI024  # as Hummingbot's events are


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (Decimal("0.10"), 0.1),
        (1.5, 1.5),
        (7, 7),
        (-7, -7),
        (True, True),
        (None, None),
        (OrderType.LIMIT, "OrderType.LIMIT"),
        (Position.NIL, "NIL"),
        (Level.HIGH, 3),
        (datetime(2026, 11, 22, 10, 15, tzinfo=UTC), "2026-11-22 10:15:00+00:00"),
        (float("nan"), None),
        (Decimal("Infinity"), None),
        (Decimal("1E+999"), None),
        ((1, [Decimal(2)]), [1, [2.0]]),
        (Fill(Decimal("1.5"), Fee(Decimal("0.1"), ("x",))), {"price": 1.5, "fee": {"percent": 0.1, "flat": ["x"]}}),
        ({1: {"x": Position.NIL}}, {"1": {"x": "NIL"}}),
        ("\ud800", "?"),
        ({"user": "s3cret", "s3cret": 1}, {"user": "[redacted]", "[redacted]": 1}),
    ],
)
def test_a_value_is_spelled_as_hummingbot_does_and_as_json_can(value: Any, spelled: Any) -> None:
    assert Spelling(["s3cret"]).value(value) == spelled


def test_what_nests_in_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(ValueError, match="nests deeper than 64"):
        SPELL.value(endless)


TEXTS = st.text() | st.text(alphabet="ß3cret")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.datetimes() | st.binary() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS | st.integers(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_is_spelled_is_json_without_this_bots_secrets(value: Any) -> None:
    written = dump(SPELL.value(value))

    json.loads(written, parse_constant=pytest.fail)
    assert "ß" not in written.decode()


def test_the_secrets_of_others_are_taken_out_of_log_lines() -> None:
    assert Spelling().log_line("GET /?api_key=k1l2m3n4&side=buy") == "GET /?api_key=[redacted]&side=buy"


@given(st.integers(0, 3 * MAX_TEXT))
def test_a_long_text_keeps_its_beginning_and_its_end(length: int) -> None:
    text = "<" + "x" * length + ">"

    short = shortened(text, MAX_TEXT)

    assert (short[0], short[-1]) == ("<", ">")
    assert short == text if len(text) <= MAX_TEXT else "characters left out" in short
    assert len(short) < MAX_TEXT + 60


def test_a_value_that_cannot_be_printed_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        SPELL.value(Unprintable())
