"""That nothing is in force is told without a broker: it is killed while a prediction is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot_plugin import Signal, SignalListener, Stale
from bot_plugin.testing import topic_of
from schemas import envelope as envelopes
from tests.integration.bot_plugin.rig import Gateway, Mosquitto, connected, eventually

LONG = {"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}}


async def test_a_strategy_is_told_to_go_flat_while_the_broker_is_dead(
    broker: Mosquitto, gateway: Gateway, make_listener: Callable[..., SignalListener]
) -> None:
    """Mosquitto is killed before the prediction expires, and started after the strategy was told, once, that it did."""
    bot, told, acted = make_listener(), [], []

    @bot.on_prediction("models")
    async def act(signal: Signal) -> None:
        acted.append(signal.id)

    @bot.on_stale("models", pair="BTC-USDT")
    async def flat(stale: Stale) -> None:
        told.append((stale, gateway.link.connected))

    async with connected(bot):
        first = await gateway.send(bot, source="models", prediction=LONG, ttl=4)
        await gateway.settled(first)
        assert bot.predictions.latest("models", "BTC-USDT") is not None
        broker.kill()
        await eventually(lambda: not gateway.link.connected)
        assert told == []
        await eventually(lambda: told)
        assert bot.predictions.latest("models", "BTC-USDT") is None
        broker.start()
        second = gateway.make(bot, source="models", prediction=LONG, ttl=60)
        await eventually(lambda: gateway.link.connected)
        while await gateway.link.publish(topic_of(bot, second), envelopes.encode(second)) != 0:
            await asyncio.sleep(0.05)  # nobody listens yet
        await eventually(lambda: second.id in acted)
        in_force = bot.predictions.latest("models", "BTC-USDT")

    [(stale, with_broker)] = told
    assert (stale.reason, with_broker) == ("the prediction ran out", False)
    assert stale.last is not None
    assert stale.last.id == first
    assert in_force is not None
    assert in_force.id == second.id
