"""Handlers that come and go on the gateway's embedded broker, which speaks MQTT 3.1.1."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot_plugin import Handlers, PluginSettings, Signal, SignalListener
from gateway.mqtt import Permissions
from gateway.mqtt.embedded import EmbeddedBroker, EmbeddedSettings
from schemas.card import Presence
from tests.integration.bot_plugin.rig import Gateway, connected, eventually, task
from tests.integration.bot_plugin.test_attach import shown, strategy

ALL = Permissions(publish=("#",), subscribe=("#",))


class Logins:
    """Everybody may do everything."""

    def login(self, username: str, password: str) -> Permissions | None:
        return ALL


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(EmbeddedSettings(port=0), logins=Logins())
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def gateway(broker: EmbeddedBroker) -> AsyncIterator[Gateway]:
    gateway = Gateway(broker.port, username="gateway")
    async with task(gateway.link.run(gateway.receive, lambda: None)):
        await eventually(lambda: gateway.link.connected)
        yield gateway


async def test_strategies_that_come_and_go_all_the_time_take_nothing_from_another(
    broker: EmbeddedBroker, gateway: Gateway, tmp_path: Path
) -> None:
    """Of 100 signals of a strategy that stays each runs once, in order, and the card is online throughout.

    The broker keeps nothing for an absent bot that has the plugin: the gateway, here the test, publishes again.
    """
    settings = PluginSettings(
        bot="demo", port=broker.port, username="demo", password="demo", grace=0.2, state_dir=str(tmp_path)
    )
    listener, seen = SignalListener(settings), []
    guests = [strategy(f"guest{number}", f"guest{number}", []) for number in range(3)]
    listener.attach(strategy("stays", "alpha", seen))
    async with connected(listener):
        await eventually(lambda: shown(gateway) and shown(gateway)[-1][1] == ("stays",))

        async def come_and_go() -> None:
            for number in range(20):
                listener.attach(guests[number % 3])
                await asyncio.sleep(0.02)
                await listener.detach(guests[number % 3])

        going = asyncio.create_task(come_and_go())
        ids = []
        for _ in range(100):
            envelope = gateway.make(listener, source="alpha", ttl=300)
            ids.append(envelope.id)
            async with asyncio.timeout(10):
                while envelope.id not in seen:
                    await gateway.publish(listener, envelope)
                    await asyncio.sleep(0.01)
        await going

    assert Counter(seen) == Counter(ids)
    assert seen == ids
    cards = [presence for presence, _ in shown(gateway)]
    assert set(cards[1:-1]) == {Presence.ONLINE}


async def test_a_strategy_is_heard_soon_after_it_is_attached(
    broker: EmbeddedBroker, gateway: Gateway, tmp_path: Path
) -> None:
    """To take the connection up anew takes a moment, not a timeout."""
    settings = PluginSettings(
        bot="demo", port=broker.port, username="demo", password="demo", grace=0.2, state_dir=str(tmp_path)
    )
    listener, handlers = SignalListener(settings), Handlers()

    @handlers.on_trade("alpha")
    async def act(signal: Signal) -> None: ...

    async with connected(listener):
        await eventually(lambda: shown(gateway) and shown(gateway)[-1] == (Presence.ONLINE, ()))
        for _ in range(3):
            began = time.monotonic()
            listener.attach(handlers)
            await eventually(lambda: shown(gateway)[-1] == (Presence.ONLINE, ("act",)))
            await listener.detach(handlers)
            await eventually(lambda: shown(gateway)[-1] == (Presence.ONLINE, ()))
            assert time.monotonic() - began < 0.9
