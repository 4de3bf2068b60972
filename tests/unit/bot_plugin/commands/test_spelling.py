"""How what a handler returns is spelled in a reply."""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from bot_plugin.commands.answer import Answer, encode, failure, reply_of
from bot_plugin.commands.spelling import Unspellable, spell
from schemas.rpc import Reply


class Side(Enum):
    BUY = "buy"
    SELL = object()


class Level(IntEnum):
    LOW = 1


@dataclass
class Fill:
    price: Decimal
    at: datetime
    side: Side


Pair = namedtuple("Pair", "base quote")  # noqa: PYI024


class Number:
    """As numpy's are: no number to Python, but able to become one."""

    def tolist(self) -> Any:
        return 2.5


AT = datetime(2026, 11, 22, 10, 15, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (Decimal("0.50"), "0.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-1E-8"), "-0.00000001"),
        (AT, "2026-11-22T10:15:01.000005Z"),
        (AT.astimezone(timezone(timedelta(hours=2))), "2026-11-22T10:15:01.000005Z"),
        (datetime(2026, 11, 22, 10), "2026-11-22T10:00:00"),  # noqa: DTZ001  # what has no zone gets none
        (date(2026, 11, 22), "2026-11-22"),
        (timedelta(minutes=1.5), 90.0),
        (Side.BUY, "buy"),
        (Side.SELL, "SELL"),
        (Level.LOW, 1),
        (True, True),
        (None, None),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("a/b"), "a/b"),
        ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        ({"a": 1}.values(), [1]),
        (Pair("BTC", "USDT"), {"base": "BTC", "quote": "USDT"}),
        (OrderedDict(a={Side.BUY: Decimal(1), 2: None}), {"a": {"buy": "1", "2": None}}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Fill(Decimal("0.1"), AT, Side.BUY), {"price": "0.1", "at": "2026-11-22T10:15:01.000005Z", "side": "buy"}),
        (Number(), 2.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_spelled_so(value: Any, spelled: Any) -> None:
    found = spell(value, where="data")

    assert found == spelled
    assert type(found) is type(spelled)
    json.dumps(found)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [float("inf")]}, "data.a[0] is inf, which JSON cannot say"),
        (Decimal("sNaN"), "data is sNaN"),
        (Decimal("1E+999999"), "data has more than 100 digits"),
        (b"x", "data is of type bytes"),
        ({"a": print}, "data.a is of type builtin_function_or_method"),
        (Fill, "data is of type type"),
        ((number for number in range(3)), "data is of type generator"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_has_no_word_for_is_refused_with_its_place(value: Any, problem: str) -> None:
    with pytest.raises(Unspellable) as raised:
        spell(value, where="data")

    assert problem in str(raised.value)


def test_what_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)

    with pytest.raises(Unspellable, match="deeper than 64"):
        spell(loop, where="data")


@pytest.mark.parametrize(
    ("result", "command", "reply"),
    [
        (None, "stop", Reply(status=200)),
        ("stopped", "stop", Reply(status=200, msg="stopped")),
        ([{"price": "1"}], "history", Reply(status=200, more={"trades": [{"price": "1"}]})),
        ({"spread": 1}, "config", Reply(status=200, more={"config": {"spread": 1}})),
        ({"x": 1}, "balance/limit", Reply(status=200, more={"data": {"x": 1}})),
        (7, "command/x", Reply(status=200, more={"data": 7})),
        ([], "history", Reply(status=200, more={"trades": []})),
        (Answer(msg="set", more={"changes": ("a",)}), "config", Reply(status=200, msg="set", more={"changes": ["a"]})),
    ],
)
def test_what_a_handler_returns_goes_to_its_field(result: Any, command: str, reply: Reply) -> None:
    assert reply_of(result, command=command) == reply


def test_an_answer_cannot_have_another_status_than_its_own() -> None:
    with pytest.raises(ValueError, match="msg, status cannot be in more"):
        Answer(more={"status": 200, "msg": "", "data": 1})


def test_an_error_of_many_words_is_cut() -> None:
    assert len(failure(ValueError("x" * 10_000)).msg) == 500


def test_a_reply_has_a_length_at_most() -> None:
    with pytest.raises(Unspellable, match=r"it has \d+ bytes, and at most 100 fit; ask for less"):
        encode(Reply(status=200, msg="x" * 100), most=100)
