"""Which handlers run a signal, or why none does."""

from __future__ import annotations

from typing import Any

import pytest

from bot_plugin import PluginSettings, SignalListener
from bot_plugin.dispatch import Decision, decide
from bot_plugin.reading import read
from bot_plugin.signal import Signal
from bot_plugin.testing import build, topic_of
from bot_plugin.transport import Message
from schemas import envelope as envelopes
from schemas.receipt import Stage
from schemas.topics import Mode

NOW = 1_795_352_101_000_000


def listener() -> SignalListener:
    return SignalListener(PluginSettings(bot="demo"), now=lambda: NOW)


def decided(filters: dict[str, Any], modes: tuple[Mode, ...] = (Mode.LIVE,), **signal: Any) -> Decision:
    bot = listener()
    filters = dict(filters)
    bot.on_trade(filters.pop("source", "*"), **filters)(lambda signal: None)
    envelope = build(bot, **signal)
    message = Message(topic=topic_of(bot, envelope), payload=envelopes.encode(envelope))
    found = read(message, root="signals", now=bot.now, monotonic=bot.now)
    assert isinstance(found, Signal), found
    return decide(found, now=NOW, registrations=bot.plan.registrations, modes=modes)


MATCHING = [
    ({}, {}),
    ({"source": "a"}, {"source": "a"}),
    ({"pair": "BTC-USDT"}, {"kind": "spot"}),
    ({"pair": "BTC-USDT"}, {"kind": "unknown"}),
    ({"pair": "BTC-USDT", "kind": "perpetual"}, {"kind": "perpetual"}),
    ({"kind": "future"}, {"kind": "future"}),
    ({}, {"kind": "perpetual"}),
    ({"venue": "binance"}, {"venue": "BINANCE"}),
    ({"mode": "live"}, {}),
]
OTHER = [
    ({"source": "a"}, {"source": "b"}, "trade of b for BTC-USDT (spot)"),
    ({"pair": "BTC-USDT"}, {"kind": "perpetual"}, "trade of test for BTC-USDT-PERP (perpetual)"),
    ({"pair": "BTC-USDT"}, {"kind": "future"}, "trade of test for BTC-USDT (future)"),
    ({"pair": "BTC-USDT"}, {"pair": "ETH-USDT"}, "trade of test for ETH-USDT (spot)"),
    ({"kind": "spot"}, {"kind": "perpetual"}, "trade of test for BTC-USDT-PERP (perpetual)"),
    ({"venue": "BYBIT"}, {"venue": "BINANCE"}, "trade of test for BTC-USDT (spot, BINANCE)"),
    ({"venue": "BYBIT"}, {}, "trade of test for BTC-USDT (spot)"),
    ({"mode": "paper"}, {}, "trade of test for BTC-USDT (spot)"),
]


@pytest.mark.parametrize(("filters", "signal"), MATCHING)
def test_a_handler_gets_what_its_filters_select(filters: dict[str, Any], signal: dict[str, Any]) -> None:
    assert len(decided(filters, **signal).run) == 1


@pytest.mark.parametrize(("filters", "signal", "described"), OTHER)
def test_a_signal_that_no_handler_wants_is_refused_and_described(
    filters: dict[str, Any], signal: dict[str, Any], described: str
) -> None:
    verdict = decided(filters, **signal).verdict

    assert verdict is not None
    assert (verdict.stage, verdict.reason) == (Stage.REFUSED, f"no handler matches {described}")


def test_a_mode_that_was_not_given_is_refused() -> None:
    verdict = decided({}, mode="paper").verdict

    assert verdict is not None
    assert verdict.reason == "mode: the signal is for paper, this bot runs live"


def test_a_signal_of_the_future_is_refused_with_the_skew_named() -> None:
    verdict = decided({}, age=-7.5).verdict

    assert verdict is not None
    assert verdict.stage is Stage.REFUSED
    assert "clock: the signal's time is 7.5 s ahead of this bot's clock" in verdict.reason
    assert len(decided({}, age=-5).run) == 1


def test_a_signal_is_expired_from_its_very_expiry_on() -> None:
    verdict = decided({}, ttl=10, age=10).verdict

    assert verdict is not None
    assert verdict.stage is Stage.EXPIRED
    assert "expired 0.000 s ago, at 2026-11-22T12:55:01.000000Z" in verdict.reason
    assert len(decided({}, ttl=10, age=9.999).run) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"pair": "BTC/USDT"}, "a pair is spelled BTC-USDT, not 'BTC/USDT'"),
        ({"timeout": 0}, "timeout is in seconds and more than 0"),
        ({"source": "a/b"}, "is not the name of a source"),
        ({"kind": "perp"}, "'perp' is not a valid Kind"),
        ({"name": "x" * 257}, "1 to 256 characters"),
    ],
)
def test_a_filter_that_can_never_match_is_refused_at_once(arguments: dict[str, Any], problem: str) -> None:
    source = arguments.pop("source", "*")
    with pytest.raises(ValueError, match=problem):
        listener().on_trade(source, **arguments)(lambda signal: None)


def test_two_handlers_cannot_share_a_name() -> None:
    bot = listener()

    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    with pytest.raises(ValueError, match="there is a handler 'act' already"):
        bot.on_alert()(act)


def test_a_decorator_without_its_call_is_named() -> None:
    with pytest.raises(TypeError, match="the decorator is called"):
        listener().on_trade(lambda signal: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "a+/b", "a#"])
def test_what_is_no_topic_filter_is_refused(topic_filter: str) -> None:
    with pytest.raises(ValueError, match="is no topic filter"):
        listener().on_topic(topic_filter)
