"""What is read from a signal topic, and what is said of messages that are no signals."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_plugin import PluginSettings, SignalListener
from bot_plugin.order import Place
from bot_plugin.reading import Unreadable, Withdrawn, read
from bot_plugin.signal import Signal
from bot_plugin.testing import build, topic_of
from bot_plugin.transport import Message
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.topics import Mode

BOT = SignalListener(PluginSettings(bot="demo"), now=lambda: 1_795_352_101_000_000, monotonic=lambda: 7)


def reading(topic: str | None = None, /, *, expiry: int | None = None, **signal: Any) -> Any:
    envelope = build(BOT, **signal)
    message = Message(topic=topic or topic_of(BOT, envelope), payload=envelopes.encode(envelope), expiry=expiry)
    return read(message, root="signals", now=BOT.now, monotonic=BOT.monotonic)


def test_a_trade_is_read_with_its_conveniences() -> None:
    signal = reading(source="x", quantity="0.50", ttl=60, age=10)

    assert isinstance(signal, Signal)
    assert (signal.source, signal.mode, signal.action, signal.pair) == ("x", Mode.LIVE, "buy", "BTC-USDT")
    assert str(signal.quantity.value) == "0.50"
    assert signal.remaining == 50.0
    assert signal.key == "x/BTC-USDT"


def test_an_alert_without_an_instrument_is_read() -> None:
    signal = reading(action=None, pair=None, message="hello")

    assert (signal.action, signal.pair, signal.quantity, signal.instrument) == (None, None, None, None)
    assert signal.message == "hello"


def test_a_withdrawal_is_read() -> None:
    data = envelopes.body(WithdrawalSchema, Withdrawal(signal="s1", reason="by the operator"))
    withdrawn = reading(type=envelopes.WITHDRAW, data=data)

    assert isinstance(withdrawn, Withdrawn)
    assert withdrawn.withdrawal.signal == "s1"


def test_a_withdrawal_is_read_from_the_topic_of_an_alert_too() -> None:
    data = envelopes.body(WithdrawalSchema, Withdrawal(signal="s1", reason="by the operator"))
    topic = "signals/v1/alert/test/BTC-USDT"
    withdrawn = reading(topic, type=envelopes.WITHDRAW, data=data, sequence=7, previous=6)

    assert withdrawn.place == Place(topic=topic, sequence=7, previous=6)


@pytest.mark.parametrize(("expiry", "remaining"), [(None, 50.0), (100, 50.0), (49, 50.0), (10, 12.0), (0, 2.0)])
def test_the_brokers_count_of_the_remaining_time_is_a_bound_that_allows_for_its_rounding(
    expiry: int | None, remaining: float
) -> None:
    assert reading(ttl=60, age=10, expiry=expiry).remaining == remaining


def test_an_unreadable_body_keeps_the_signals_place() -> None:
    found = reading("signals/v1/trade/test/BTC-USDT", data={}, sequence=7, previous=6)

    assert found.place == Place(topic="signals/v1/trade/test/BTC-USDT", sequence=7, previous=6)


def test_a_signal_without_a_sequence_is_unreadable() -> None:
    envelope = replace(build(BOT), sequence=None)
    message = Message(topic=topic_of(BOT, envelope), payload=envelopes.encode(envelope))
    found = read(message, root="signals", now=BOT.now, monotonic=BOT.monotonic)

    assert isinstance(found, Unreadable)
    assert "lacks sequence" in found.problem


@pytest.mark.parametrize(
    ("signal", "problem"),
    [
        ({"type": "signal.trade.v2"}, "does not read 'signal.trade.v2'"),
        ({"partitionkey": None}, "lacks partitionkey"),
        ({"expirytime": None}, "expirytime: is missing"),
        ({"data": {"action": "buy"}}, "instrument"),
        ({"data": {"action": "hold", "instrument": {"raw": "x"}}}, "action"),
    ],
)
def test_what_lacks_something_is_unreadable_and_says_what(signal: dict[str, Any], problem: str) -> None:
    found = reading(**signal)

    assert isinstance(found, Unreadable)
    assert found.id is not None
    assert problem in found.problem


@pytest.mark.parametrize(
    ("topic", "signal"),
    [
        ("signals/v1/trade/other/BTC-USDT", {"source": "mine"}),
        ("signals/v1/alert/mine/BTC-USDT", {"source": "mine"}),
        ("signals/v1/trade/mine/BTC-USDT", {"source": "mine", "mode": "test"}),
        ("signals-test/v1/trade/mine/BTC-USDT", {"source": "mine", "mode": "live"}),
    ],
)
def test_a_signal_on_a_topic_that_is_not_its_own_is_unreadable(topic: str, signal: dict[str, Any]) -> None:
    found = reading(topic, **signal)

    assert isinstance(found, Unreadable)
    assert "is not below" in found.problem


@given(
    st.binary()
    | st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda document: json.dumps(document).encode()
    )
)
def test_nothing_that_arrives_raises(payload: bytes) -> None:
    found = read(
        Message(topic="signals/v1/trade/x/y", payload=payload), root="signals", now=BOT.now, monotonic=BOT.monotonic
    )

    assert isinstance(found, Unreadable)
