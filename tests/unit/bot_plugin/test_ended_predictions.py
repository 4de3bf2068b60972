"""What ends a prediction that has not run out: its withdrawal, a newer one that is refused, and a silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot_plugin import PluginSettings, Signal, SignalListener, Stale
from bot_plugin.testing import Rig, build, running
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.envelope import Envelope
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock

LONG = {"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}}


@pytest.fixture
def bot(clock: Clock) -> SignalListener:
    bot = SignalListener(PluginSettings(bot="demo", grace=0.05), now=clock, monotonic=clock.monotonic)
    bot.on_prediction("models")(lambda signal: None)
    return bot


@pytest.fixture
def told(bot: SignalListener) -> list[Stale]:
    told: list[Stale] = []
    bot.on_stale("models")(told.append)
    return told


def prediction(bot: SignalListener, **more: Any) -> Envelope:
    return build(bot, **{"source": "models", "prediction": LONG, **more})


def withdrawal(bot: SignalListener, of: Envelope) -> Envelope:
    """As the gateway says it, on the topic of what it stops."""
    data = envelopes.body(WithdrawalSchema, Withdrawal(signal=of.id, reason="by the operator"))
    return prediction(bot, type=envelopes.WITHDRAW, data=data)


async def came(rig: Rig, *sent: Envelope) -> None:
    """Messages come; each is answered with a receipt, also what is known."""
    for envelope in sent:
        before = len(rig.receipts(envelope.id))
        rig.broker.publish("signals/v1/prediction/models/BTC-USDT", envelopes.encode(envelope))
        await eventually(lambda: any(one.stage.final for one in rig.receipts(envelope.id)[before:]))  # noqa: B023


def latest(bot: SignalListener, pair: str = "BTC-USDT", **filters: Any) -> Signal | None:
    return bot.predictions.latest("models", pair, **filters)


async def test_a_prediction_that_is_withdrawn_is_in_force_no_more(bot: SignalListener, told: list[Stale]) -> None:
    """None before it comes back, nor does it itself when it comes again; the strategy is told, once, of each."""
    async with running(bot) as rig:
        first, second = prediction(bot), prediction(bot)
        await came(rig, first, second)
        await asyncio.sleep(1.1)  # a look that finds it in force
        await came(rig, withdrawal(bot, second))
        assert latest(bot) is None
        await came(rig, first, second)
        assert latest(bot) is None
        await eventually(lambda: told)
        await asyncio.sleep(1.1)  # a further look
        assert [stale.reason for stale in told] == ["the prediction was withdrawn"]
        await came(rig, prediction(bot))
        assert latest(bot) is not None


async def test_a_prediction_that_was_withdrawn_before_it_came_is_never_in_force(bot: SignalListener) -> None:
    async with running(bot) as rig:
        first, second = prediction(bot), prediction(bot)
        await came(rig, first, withdrawal(bot, second), second)
        assert latest(bot) is None


async def test_the_withdrawal_of_an_older_prediction_changes_nothing(bot: SignalListener) -> None:
    async with running(bot) as rig:
        first, second = prediction(bot), prediction(bot)
        await came(rig, first, second, withdrawal(bot, first))
        found = latest(bot)

    assert found is not None
    assert found.id == second.id


async def test_a_withdrawal_survives_the_process(make: Callable[..., SignalListener]) -> None:
    """A bot that starts anew does not find in force what was withdrawn, nor what was before it."""
    for started in (False, True):
        bot = make()
        bot.on_prediction("models")(lambda signal: None)
        async with running(bot) as rig:
            if not started:
                first, second = prediction(bot), prediction(bot)
                await came(rig, first, second, withdrawal(bot, second))
            assert latest(bot) is None


async def test_a_newer_prediction_that_comes_too_late_ends_the_one_before_it(
    bot: SignalListener, told: list[Stale]
) -> None:
    async with running(bot) as rig:
        late = prediction(bot, ttl=5, age=6)
        await came(rig, prediction(bot, ttl=600, age=30, sequence=1))
        await asyncio.sleep(1.1)  # a look that finds it in force
        await came(rig, late)
        assert rig.receipts(late.id)[-1].stage is Stage.EXPIRED
        assert latest(bot) is None
        await eventually(lambda: told)

    assert told[0].reason == "the prediction ran out"


async def test_a_newer_prediction_that_is_refused_for_its_time_ends_the_one_before_it(
    bot: SignalListener, told: list[Stale]
) -> None:
    async with running(bot) as rig:
        await came(rig, prediction(bot))
        await asyncio.sleep(1.1)  # a look that finds it in force
        await came(rig, prediction(bot, age=-30))
        assert latest(bot) is None
        await eventually(lambda: told)

    assert told[0].reason.startswith("the newest prediction was refused: clock: the signal's time is ")


async def test_what_ran_out_while_the_bot_was_away_is_told_after_its_start(
    make: Callable[..., SignalListener], clock: Clock
) -> None:
    """Of each instrument, while another one's prediction is in force."""
    told: list[Stale] = []
    for started in (False, True):
        bot = make()
        bot.on_prediction("models")(lambda signal: None)
        bot.on_stale("models")(told.append)
        async with running(bot) as rig:
            if started:
                clock.advance(11)
                await eventually(lambda: told)
            else:
                short, long = prediction(bot, ttl=20), prediction(bot, ttl=600, pair="ETH-USDT")
                rig.send(long)
                await came(rig, short)
        clock.advance(30)

    assert [(stale.pair, stale.reason) for stale in told] == [("BTC-USDT", "the prediction ran out")]


async def test_predictions_for_another_venue_end_nothing(bot: SignalListener) -> None:
    async with running(bot) as rig:
        await came(rig, prediction(bot, venue="BINANCE"), prediction(bot, venue="OKX"))
        at = {venue: latest(bot, venue=venue) for venue in ("binance", "okx", "kraken")}

    assert [found is not None and found.instrument is not None and found.instrument.venue for found in at.values()] == [
        "BINANCE",
        "OKX",
        False,
    ]


async def test_a_silence_is_noticed_where_the_machine_slept(
    bot: SignalListener, told: list[Stale], clock: Clock
) -> None:
    """Its monotonic clock may have stood still meanwhile, and its wall clock tells."""
    bot.on_stale("models", name="silent", interval=300)(told.append)
    async with running(bot) as rig:
        await came(rig, prediction(bot, ttl=3600))
        await asyncio.sleep(1.1)  # a look that finds it in force
        clock.step(301)
        assert latest(bot) is None
        await eventually(lambda: told)


@pytest.mark.parametrize("more", [(), ({**LONG, "outlier": True},)], ids=["alone", "an outlier after it"])
async def test_what_ran_out_before_anybody_looked_is_told_too(
    bot: SignalListener, told: list[Stale], clock: Clock, more: tuple[dict[str, Any], ...]
) -> None:
    """The strategy was told of a silence, acted on a prediction since, and that was over within a second."""
    async with running(bot) as rig:
        await came(rig, prediction(bot, ttl=30))
        await asyncio.sleep(1.1)  # a look that finds it in force
        clock.advance(31)
        await eventually(lambda: len(told) == 1)
        await came(rig, prediction(bot, ttl=30), *(prediction(bot, ttl=30, prediction=said) for said in more))
        clock.advance(31)
        await eventually(lambda: len(told) == 2)
        await came(rig, prediction(bot, prediction={**LONG, "outlier": True}))
        await asyncio.sleep(1.1)  # a look that finds nothing new

    assert len(told) == 2


async def test_what_was_in_force_before_a_restart_ends_by_the_gateways_clock_too(
    make: Callable[..., SignalListener], clock: Clock
) -> None:
    """The bot's own is an hour behind after the restart, and the next message shows it."""
    for started in (False, True):
        bot = make()
        bot.on_prediction("models")(lambda signal: None)
        async with running(bot) as rig:
            if not started:
                await came(rig, prediction(bot, ttl=60))
                clock.step(-3600)
                continue
            assert latest(bot) is not None
            rig.send(shown := prediction(bot, pair="ETH-USDT", age=-3661))
            await rig.settled(shown.id)
            assert latest(bot) is None
