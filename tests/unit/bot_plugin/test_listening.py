"""What the configuration lets a bot listen to: signals with all that is promised of them, and raw messages."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot_plugin import Latest, PluginSettings, SettingsError, Signal, SignalListener, SignalQueue, TopicQueue
from bot_plugin.testing import build, running
from schemas.receipt import Stage
from tests.brokers import eventually


def bot(listen: Any, **settings: Any) -> SignalListener:
    return SignalListener(PluginSettings(**{"bot": "demo", "grace": 0.05, "listen": listen, **settings}))


class Strategy:
    """A strategy that registers nothing in code."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.orders = SignalQueue(size=10)
        self.trend = Latest()
        self.events = TopicQueue()
        self.number = 7

    async def act(self, signal: Signal) -> None:
        self.heard.append(signal.instrument and signal.instrument.name)

    def raw(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, payload))

    @staticmethod
    async def static(signal: Signal) -> None: ...

    @property
    def tempting(self) -> None:
        raise AssertionError("nobody asked for this")

    def _own(self) -> None: ...


async def test_a_strategy_listens_to_signals_and_to_raw_topics_without_a_line_of_code() -> None:
    strategy = Strategy()
    listener = bot(
        {
            "signals/v1/trade/btc/+": "act",
            "signals/v1/trade/queued/+": "orders",
            "signals/v1/alert/trend/+": "trend",
            "hbot/demo/external/event/#": ["events", "raw"],
            "hbot/predictions/+/ML_SIGNALS": "events",
        }
    )
    listener.provide(strategy)
    async with running(listener) as rig:
        acted, queued = build(listener, source="btc"), build(listener, source="queued")
        trend = build(listener, source="trend", action=None, message="up")
        for envelope in (acted, queued, trend):
            rig.send(envelope)
        rig.broker.publish("hbot/demo/external/event/order/market", b"{}")
        rig.broker.publish("hbot/predictions/btc_usdt/ML_SIGNALS", b"[]")

        assert [receipt.stage for receipt in await rig.settled(acted.id)][-1] is Stage.HANDLED
        async with strategy.orders.get() as order:
            assert order.id == queued.id
        await eventually(strategy.trend.get)
        assert [await strategy.events.get(), await strategy.events.get()] == [
            ("hbot/demo/external/event/order/market", b"{}"),
            ("hbot/predictions/btc_usdt/ML_SIGNALS", b"[]"),
        ]
        await eventually(lambda: len(strategy.heard) == 2)

    assert sorted(map(str, strategy.heard)) == ["('hbot/demo/external/event/order/market', b'{}')", "BTC-USDT"]
    assert rig.receipts(queued.id)[-1].handler == "orders"
    assert set(listener.plan.handlers) == {"act", "orders", "trend", "events", "raw"}


async def test_a_filter_for_one_instrument_gets_that_and_subscribes_to_no_other() -> None:
    strategy = Strategy()
    listener = bot({"signals/v1/trade/btc/BTC-USDT-PERP": "act", "signals/v1/+/x/ES1%21": "act"})
    listener.provide(strategy)

    assert listener.plan.signal_filters(listener.settings) == (
        "signals/v1/alert/x/ES1%21",
        "signals/v1/prediction/x/ES1%21",
        "signals/v1/trade/btc/BTC-USDT-PERP",
        "signals/v1/trade/x/ES1%21",
    )
    async with running(listener) as rig:
        perpetual = build(listener, source="btc", kind="perpetual")
        future = build(listener, source="x", pair=None, action=None, message="x")
        raw = replace(future, subject="ES1!", data={"message": "x", "instrument": {"raw": "ES1!"}})
        for envelope in (perpetual, raw):
            rig.send(envelope)
            await rig.settled(envelope.id)
        with pytest.raises(LookupError):
            rig.send(build(listener, source="btc"))

    assert strategy.heard == ["BTC-USDT-PERP", "ES1!"]


async def test_a_handler_of_several_filters_runs_once_for_a_signal_that_all_of_them_select() -> None:
    strategy = Strategy()
    listener = bot({"signals/v1/trade/btc/+": "act", "signals/v1/+/+/BTC-USDT": "act", "signals/v1/alert/#": "act"})
    listener.provide(strategy)
    async with running(listener) as rig:
        signal = build(listener, source="btc")
        rig.send(signal)
        await rig.settled(signal.id)

    assert strategy.heard == ["BTC-USDT"]
    assert listener.plan.handlers == ("act",)


async def test_a_raw_handler_of_several_filters_gets_a_message_once() -> None:
    strategy = Strategy()
    listener = bot({"a/#": "raw", "a/+": "raw"})
    listener.provide(strategy)
    async with running(listener) as rig:
        rig.broker.publish("a/b", b"1")
        await eventually(lambda: strategy.heard)
        await asyncio.sleep(0.02)

    assert strategy.heard == [("a/b", b"1")]


def test_the_test_tree_is_fed_apart_from_the_live_one() -> None:
    listener = bot({"signals-test/v1/trade/+/+": "act"}, modes=("live", "test"))
    listener.provide(Strategy())
    both = bot({"signals/v1/trade/+/+": "act"}, modes=("live", "test"))
    both.provide(Strategy())

    assert listener.plan.signal_filters(listener.settings) == ("signals-test/v1/trade/+/+",)
    assert both.plan.signal_filters(both.settings) == ("signals/v1/trade/+/+",)


def test_receipts_and_cards_are_raw_messages() -> None:
    listener = bot({"signals/v1/receipt/+": "raw", "signals/v1/bot/+": "raw", "signals/v1/gateway/+": "raw"})
    listener.provide(Strategy())

    assert [one.topic_filter for one in listener.plan.topics] == [
        feed.topic_filter for feed in listener.settings.listen
    ]
    assert not list(listener.plan.problems(listener.settings))


def handle(signal: Signal) -> None: ...


def test_functions_are_provided_by_their_names_and_all_else_by_a_given_one() -> None:
    listener = bot({})
    listener.provide(handle, Strategy(), other=print)

    assert set(listener._provided) == {"handle", "act", "raw", "static", "orders", "trend", "events", "other"}


def test_a_name_is_provided_once() -> None:
    listener = bot({})
    listener.provide(act=print)

    with pytest.raises(ValueError, match="'act' is provided already"):
        listener.provide(Strategy())


@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        ({"a": "akt"}, r"a feeds akt, but the strategy does not provide it; it provides act, events, orders, raw, st"),
        ({"a": "number"}, "the strategy does not provide it"),
        ({"a": "_own"}, "the strategy does not provide it"),
        ({"a": "orders"}, "that is for signals, and these are raw messages"),
        ({"signals/v1/trade/+/+": "events"}, "that is for raw messages, and these are signals"),
        ({"signals/v1/trade/+/+": "act", "a": "act"}, "fed both signals and raw messages"),
        ({"a": "raw", "signals/v1/trade/+/+": "raw"}, "fed both signals and raw messages"),
        ({"signals-test/v1/trade/+/+": "act"}, "this bot runs live only, and that tree has none of these"),
        ({"signals/v1/trade/+/+": "coded"}, "a handler of that name is registered in code already"),
        ({"signals/#": "act"}, "signals are selected by ROOT/v1/BODY/SOURCE/INSTRUMENT"),
        ({"signals": "raw"}, "signals are selected by"),
        ({"signals/v1/#": "act"}, "signals are selected by"),
        ({"signals/v2/trade/+/+": "act"}, "signals are selected by"),
        ({"signals/v1/receipts/+/+": "act"}, "BODY is trade or alert or prediction"),
        ({"signals/v1/trade/a b/+": "act"}, "signals are selected by"),
        ({"signals/v1/trade/+/BTC.USDT": "act"}, "INSTRUMENT is as BTC-USDT"),
        ({"signals-test/v1/receipt/+": "raw"}, "signals are selected by"),
    ],
)
async def test_what_can_never_be_fed_is_said_before_the_start(listen: dict[str, str], problem: str) -> None:
    listener = bot(listen)
    listener.provide(Strategy())
    listener.on_trade("x", name="coded")(print)

    with pytest.raises(SettingsError, match=problem):
        await listener.run()


async def test_a_strategy_that_provides_nothing_is_told_how() -> None:
    with pytest.raises(
        SettingsError, match=r"it provides nothing: listener.provide\(\.\.\.\) offers callbacks and queues"
    ):
        await bot({"a": "act"}).run()


async def test_every_fault_is_said_at_once_with_what_code_did_wrong() -> None:
    listener = bot({"a": "x", "b": "y"})
    listener.on_trade(mode="paper")(handle)

    with pytest.raises(SettingsError) as caught:
        await listener.run()

    assert len(caught.value.problems) == 3


def test_what_is_neither_called_nor_filled_is_refused() -> None:
    listener = bot({"a": "x"})
    listener.provide(x=7)

    assert list(listener.plan.problems(listener.settings)) == [
        "listen: a feeds x, but int is neither a callback nor a queue"
    ]
