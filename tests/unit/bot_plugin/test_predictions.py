"""Predictions at a strategy: which ones it is called for, what it sees of them, and what the others end as."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot_plugin import PluginSettings, Signal, SignalListener
from bot_plugin.testing import build, deliver, running
from schemas.receipt import Receipt, Stage
from tests.unit.bot_plugin.clock import Clock

LONG = {"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}}


@pytest.fixture
def bot(clock: Clock) -> SignalListener:
    return SignalListener(PluginSettings(bot="demo", grace=0.05), now=clock, monotonic=clock.monotonic)


async def outcome(bot: SignalListener, said: dict[str, Any], *, pair: str = "BTC-USDT", kind: str = "spot") -> Receipt:
    """What a prediction ends as."""
    return (await deliver(bot, source="models", pair=pair, kind=kind, prediction={**LONG, **said}))[-1]


async def test_a_strategy_sees_what_the_model_says_and_how_sure_it_is(bot: SignalListener) -> None:
    seen: list[Signal] = []
    bot.on_prediction("models", pair="BTC-USDT", name="act")(seen.append)
    said = {"model": {"name": "lstm", "version": "7"}, "confidence": 0.8, "outlier": False, "target_pct": "0.0042"}
    receipt = await outcome(bot, said | {"value": {"name": "return", "value": 0.01}, "quantiles": {"0.5": 0.01}})

    [signal] = seen
    assert (receipt.stage, receipt.handler) == (Stage.HANDLED, "act")
    assert signal.probabilities is not None
    assert (signal.probabilities.long, signal.confidence, signal.outlier) == (0.7, 0.8, False)
    assert (str(signal.model), signal.target_pct, signal.quantiles) == ("lstm 7", Decimal("0.0042"), {"0.5": 0.01})
    assert signal.value is not None
    assert (signal.value.name, signal.pair) == ("return", "BTC-USDT")
    assert (signal.action, signal.quantity, signal.message) == (None, None, None)
    assert signal.prediction is signal.body


async def test_a_trade_says_of_a_prediction_that_it_has_none(bot: SignalListener) -> None:
    seen: list[Signal] = []
    bot.on_trade()(seen.append)
    await deliver(bot)

    [signal] = seen
    assert (signal.prediction, signal.model, signal.probabilities, signal.value) == (None, None, None, None)
    assert (signal.confidence, signal.outlier, signal.target_pct, signal.quantiles) == (None, None, None, {})


@pytest.mark.parametrize(
    ("filters", "said", "reason"),
    [
        ({"model": "lstm"}, {"model": {"name": "xgb"}}, None),
        ({"pair": "ETH-USDT"}, {}, None),
        ({}, {"outlier": True}, "it is an outlier"),
        ({"minimum_confidence": 0.6}, {"confidence": 0.59}, "its confidence 0.59 is below 0.6"),
        ({"minimum_confidence": 0.6}, {}, "its confidence is not known"),
    ],
)
async def test_what_a_filter_leaves_out_is_refused_with_the_reason(
    bot: SignalListener, filters: dict[str, Any], said: dict[str, Any], reason: str | None
) -> None:
    seen: list[Signal] = []
    bot.on_prediction("models", **filters)(seen.append)
    receipt = await outcome(bot, said)

    assert (receipt.stage, seen) == (Stage.REFUSED, [])
    name = said.get("model", {"name": "test"})["name"]
    matches = f"no handler matches prediction of {name} of models for BTC-USDT (spot)"
    assert receipt.reason == (matches if reason is None else f"{matches}; {reason}")


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"model": "lstm"}, {"model": {"name": "lstm", "version": "8"}}),
        ({"outliers": True}, {"outlier": True}),
        ({"minimum_confidence": 0.6}, {"confidence": 0.6}),
        ({"minimum_confidence": 0.0}, {"confidence": 0.0}),
        ({"mode": "live"}, {}),
    ],
)
async def test_what_the_filters_let_in_is_run(
    bot: SignalListener, filters: dict[str, Any], said: dict[str, Any]
) -> None:
    bot.on_prediction("models", **filters)(lambda signal: None)

    assert (await outcome(bot, said)).stage is Stage.HANDLED


async def test_a_pair_alone_never_selects_the_prediction_for_a_derivative(bot: SignalListener) -> None:
    bot.on_prediction("models", pair="BTC-USDT")(lambda signal: None)

    assert (await outcome(bot, {}, kind="perpetual")).stage is Stage.REFUSED


async def test_predictions_of_an_instrument_come_in_order_and_never_late(bot: SignalListener, clock: Clock) -> None:
    seen: list[int] = []
    at = bot.now()

    @bot.on_prediction("models")
    async def act(signal: Signal) -> None:
        seen.append(signal.sequence - at)

    async with running(bot) as rig:
        second = build(bot, source="models", prediction=LONG, sequence=at + 2, previous=at + 1)
        first = build(bot, source="models", prediction=LONG, sequence=at + 1)
        late = build(bot, source="models", prediction=LONG, sequence=at + 3, previous=at + 2, ttl=30, age=31)
        for envelope in (second, first, late):
            rig.send(envelope)
        await rig.settled(second.id)
        receipts = await rig.settled(late.id)

    assert seen == [1, 2]
    assert receipts[-1].stage is Stage.EXPIRED


async def test_a_queue_holds_predictions_too(bot: SignalListener) -> None:
    queue = bot.queue("models", body="prediction", model="test", minimum_confidence=0.5)
    async with running(bot) as rig:
        envelope = build(bot, source="models", prediction={**LONG, "confidence": 0.5})
        rig.send(envelope)
        async with queue.get() as signal:
            assert signal.confidence == 0.5
        [receipt] = await rig.settled(envelope.id)

    assert receipt.stage is Stage.HANDLED


async def test_a_trade_names_the_prediction_that_it_was_made_of(bot: SignalListener) -> None:
    seen: list[Signal] = []
    bot.on_trade()(seen.append)
    await deliver(bot, causationid="0193a6c2-0000-7000-8000-000000000001", correlationid="idea-7")

    assert (seen[0].causationid, seen[0].correlationid) == ("0193a6c2-0000-7000-8000-000000000001", "idea-7")


async def test_the_receipt_of_a_prediction_names_the_orders_that_a_strategy_made_of_it(bot: SignalListener) -> None:
    @bot.on_prediction("models")
    def act(signal: Signal) -> None:
        signal.placed("HBOT-17")

    assert (await outcome(bot, {})).order_ids == ("HBOT-17",)


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ({"minimum_confidence": 60}, "minimum_confidence is a number from 0 to 1, not 60"),
        ({"pair": "BTC/USDT"}, "a pair is spelled BTC-USDT"),
    ],
)
def test_a_filter_that_could_never_match_is_refused(bot: SignalListener, filters: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        bot.on_prediction("models", **filters)(lambda signal: None)


@pytest.mark.parametrize("filters", [{"model": "lstm"}, {"minimum_confidence": 0.5}, {"outliers": True}])
def test_a_filter_of_predictions_is_refused_for_trades(bot: SignalListener, filters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="model, minimum_confidence and outliers are for predictions"):
        bot.on_trade("x", **filters)(lambda signal: None)


async def test_a_bot_says_on_its_card_that_it_reads_predictions(bot: SignalListener) -> None:
    bot.on_prediction("models")(lambda signal: None)
    async with running(bot) as rig:
        [card] = [message for message in rig.broker.published if message.topic == "signals/v1/bot/demo"]

    assert b'"signal.prediction.v1"' in card.payload
    assert b'"signals/v1/prediction/models/+"' in card.payload


async def test_the_configuration_feeds_a_callback_with_predictions(clock: Clock) -> None:
    settings = PluginSettings(bot="demo", grace=0.05, listen={"signals/v1/prediction/models/+": "act"})
    bot = SignalListener(settings, now=clock, monotonic=clock.monotonic)
    seen: list[Signal] = []
    bot.provide(act=seen.append)

    assert (await outcome(bot, {})).stage is Stage.HANDLED
    assert seen[0].prediction is not None
