"""What is in force of a model's predictions, and that a strategy is told when nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bot_plugin import Handlers, ListenerEnded, PluginSettings, SettingsError, SignalListener, Stale
from bot_plugin.testing import build, running
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock

LONG = {"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}}


@pytest.fixture
def bot(clock: Clock) -> SignalListener:
    bot = SignalListener(PluginSettings(bot="demo", grace=0.05), now=clock, monotonic=clock.monotonic)
    bot.on_prediction("models")(lambda signal: None)
    return bot


async def test_the_newest_prediction_is_in_force_until_it_expires(bot: SignalListener, clock: Clock) -> None:
    async with running(bot) as rig:
        assert bot.predictions.latest("models", "BTC-USDT") is None
        first = build(bot, source="models", prediction=LONG)
        second = build(bot, source="models", prediction=LONG, ttl=60)
        for envelope in (first, second):
            rig.send(envelope)
            await rig.settled(envelope.id)
        found = bot.predictions.latest("models", "BTC-USDT")
        assert found is not None
        assert found.id == second.id
        assert bot.predictions.latest("models", "BTC-USDT", kind="perpetual") is None
        assert bot.predictions.latest("others", "BTC-USDT") is None
        clock.advance(61)
        assert bot.predictions.latest("models", "BTC-USDT") is None
    with pytest.raises(ListenerEnded):
        bot.predictions.latest("models", "BTC-USDT")


async def test_an_outlier_ends_the_prediction_before_it(bot: SignalListener) -> None:
    async with running(bot) as rig:
        for said in (LONG, {**LONG, "outlier": True}):
            envelope = build(bot, source="models", prediction=said)
            rig.send(envelope)
            await rig.settled(envelope.id)
        assert bot.predictions.latest("models", "BTC-USDT") is None
        assert bot.predictions.latest("models", "BTC-USDT", outliers=True) is not None


async def test_a_strategy_is_told_once_that_its_prediction_ran_out_and_again_of_the_next(
    bot: SignalListener, clock: Clock
) -> None:
    told: list[Stale] = []

    @bot.on_stale("models", pair="BTC-USDT")
    async def flat(stale: Stale) -> None:
        told.append(stale)

    async with running(bot) as rig:
        envelope = build(bot, source="models", prediction=LONG, ttl=30)
        rig.send(envelope)
        await rig.settled(envelope.id)
        await asyncio.sleep(1.1)  # a look that finds it in force
        assert told == []
        clock.advance(31)
        await eventually(lambda: told)
        await asyncio.sleep(1.2)  # a further look
        [stale] = told
        assert (stale.source, stale.pair, stale.reason) == ("models", "BTC-USDT", "the prediction ran out")
        assert stale.last is not None
        assert stale.last.id == envelope.id
        rig.send(build(bot, source="models", prediction=LONG, ttl=30))
        await asyncio.sleep(1.2)
        clock.advance(31)
        await eventually(lambda: len(told) == 2)


async def test_silence_past_the_interval_ends_what_is_in_force(bot: SignalListener, clock: Clock) -> None:
    told: list[Stale] = []
    bot.on_stale("models", interval=300)(told.append)
    async with running(bot) as rig:
        envelope = build(bot, source="models", prediction=LONG, ttl=3600)
        rig.send(envelope)
        await rig.settled(envelope.id)
        clock.advance(301)
        assert bot.predictions.latest("models", "BTC-USDT") is None
        await eventually(lambda: told)
    assert told[0].reason == "the source is silent for more than 300 s"


async def test_a_start_with_nothing_is_told_too(bot: SignalListener, clock: Clock) -> None:
    told: list[Stale] = []
    bot.on_stale("models", pair="BTC-USDT")(told.append)
    async with running(bot):
        clock.advance(11)
        await eventually(lambda: told)
    assert told == [Stale(source="models", pair="BTC-USDT", reason="no prediction came since the start", last=None)]


async def test_a_watch_over_what_nobody_listens_to_is_refused_at_the_start(bot: SignalListener) -> None:
    bot.on_stale("others")(lambda stale: None)
    with pytest.raises(SettingsError, match="nothing listens to predictions of others"):
        await bot.run()


async def test_handlers_that_come_know_what_is_in_force_and_are_told_no_more_when_they_went(
    bot: SignalListener, clock: Clock
) -> None:
    told: list[Stale] = []
    guest = Handlers()
    guest.on_prediction("models", name="guest")(lambda signal: None)
    guest.on_stale("models")(told.append)
    async with running(bot) as rig:
        envelope = build(bot, source="models", prediction=LONG, ttl=30)
        rig.send(envelope)
        await rig.settled(envelope.id)
        bot.attach(guest)
        assert guest.predictions.latest("models", "BTC-USDT") is not None
        await bot.detach(guest)
        with pytest.raises(ListenerEnded):
            guest.predictions.latest("models", "BTC-USDT")
        clock.advance(31)
        await asyncio.sleep(1.2)  # a look
        assert bot.predictions.latest("models", "BTC-USDT") is None
    assert told == []


async def test_a_watch_that_fails_ends_nothing(
    bot: SignalListener, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    @bot.on_stale("models")
    def flat(stale: Stale) -> None:
        raise ValueError("no exchange")

    async with running(bot) as rig:
        clock.advance(11)
        await eventually(lambda: "no exchange" in caplog.text)
        envelope = build(bot, source="models", prediction=LONG)
        rig.send(envelope)
        assert (await rig.settled(envelope.id))[-1].stage == "handled"


async def test_what_is_in_force_survives_the_process(make: Callable[..., SignalListener], clock: Clock) -> None:
    """A bot that starts anew knows, before anything comes, the newest prediction of each model that is still true."""

    def bot() -> SignalListener:
        made = make()
        made.on_prediction("models", minimum_confidence=0.5)(lambda signal: None)
        return made

    first = bot()
    async with running(first) as rig:
        at = first.now()
        for pair, ttl, sequence in (
            ("BTC-USDT", 60, 2),
            ("BTC-USDT", 600, 1),
            ("ETH-USDT", 20, 3),
            ("SOL-USDT", 60, 4),
        ):
            said = {**LONG, "confidence": 0.4 if pair == "SOL-USDT" else 0.9}
            envelope = build(first, source="models", pair=pair, prediction=said, ttl=ttl, sequence=at + sequence)
            rig.send(envelope)
            await rig.settled(envelope.id)
    clock.advance(30)
    second = bot()
    async with running(second):
        found = second.predictions.latest("models", "BTC-USDT")
        assert found is not None
        assert (found.sequence - at, found.confidence, 29 < found.remaining < 31) == (2, 0.9, True)
        assert second.predictions.latest("models", "ETH-USDT") is None
        assert second.predictions.latest("models", "SOL-USDT", minimum_confidence=0.5) is None
        assert second.predictions.latest("models", "SOL-USDT") is not None
    clock.advance(31)
    third = bot()
    async with running(third):
        assert third.predictions.latest("models", "BTC-USDT") is None


async def test_a_silence_is_told_soon_after_a_restart(make: Callable[..., SignalListener], clock: Clock) -> None:
    """A prediction of before the restart that runs out is told with its pair, and without waiting longer."""
    told: list[Stale] = []
    for silence in (False, True):
        bot = make()
        bot.on_prediction("models")(lambda signal: None)
        bot.on_stale("models")(told.append)
        async with running(bot) as rig:
            if silence:
                await asyncio.sleep(1.1)  # a look that finds it in force
                clock.advance(5)
                await eventually(lambda: told)
            else:
                envelope = build(bot, source="models", prediction=LONG, ttl=5)
                rig.send(envelope)
                await rig.settled(envelope.id)

    assert [(stale.pair, stale.reason) for stale in told] == [("BTC-USDT", "the prediction ran out")]
