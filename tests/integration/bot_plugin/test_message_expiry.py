"""What a real Mosquitto says of a message's remaining time, and what a bot whose clock is wrong makes of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import gmqtt

from bot_plugin import PluginSettings, Signal, SignalListener
from bot_plugin.reconnecting import MqttLink
from bot_plugin.testing import build, topic_of
from bot_plugin.transport import V5, V311, LinkSettings, Message
from schemas import envelope as envelopes
from schemas.receipt import Stage
from tests.integration.bot_plugin.rig import Gateway, Mosquitto, connected, eventually, task


@contextlib.asynccontextmanager
async def publisher(broker: Mosquitto) -> AsyncIterator[Callable[[str, bytes, int], None]]:
    client = gmqtt.Client("publisher")
    await client.connect("127.0.0.1", broker.port)
    yield lambda topic, payload, expiry: client.publish(topic, payload, qos=1, message_expiry_interval=expiry)
    await client.disconnect()


async def queued(broker: Mosquitto, *, version: int, expiry: int, wait: float) -> tuple[Message, float]:
    """A message that waited in the broker for a client that was away, and for how long it did (seconds)."""
    got: list[Message] = []

    async def receive(message: Message) -> None:
        got.append(message)

    settings = LinkSettings(host="127.0.0.1", port=broker.port, client_id="away", filters=("a",), versions=(version,))
    async with publisher(broker) as publish:
        link = MqttLink(settings)
        async with task(link.run(receive, lambda: None)):
            await eventually(lambda: link.connected)
        publish("a", b"", expiry)
        since = time.monotonic()
        await eventually(lambda: time.monotonic() - since > wait)
        async with task(MqttLink(settings).run(receive, lambda: None)):
            await eventually(lambda: got)
            return got[0], time.monotonic() - since


async def test_the_broker_counts_the_time_in_its_queue_to_within_a_second(broker: Mosquitto) -> None:
    message, waited = await queued(broker, version=V5, expiry=30, wait=1.5)

    assert message.expiry is not None
    assert abs(message.expiry - (30 - waited)) <= 1.1


async def test_mqtt_3_1_1_says_nothing_of_it(broker: Mosquitto) -> None:
    message, _ = await queued(broker, version=V311, expiry=30, wait=0)

    assert message.expiry is None


async def test_a_bot_whose_clock_is_behind_gives_a_signal_no_more_than_the_broker_does(
    broker: Mosquitto, gateway: Gateway, tmp_path: Path
) -> None:
    behind = 45_000_000
    slow = SignalListener(
        PluginSettings(bot="demo", host="127.0.0.1", port=broker.port, grace=0.2, state_dir=str(tmp_path)),
        now=lambda: time.time_ns() // 1000 - behind,
    )
    remaining: list[float] = []

    @slow.on_trade()
    async def act(signal: Signal) -> None:
        remaining.append(signal.remaining)

    right = SignalListener(PluginSettings(bot="right"))
    envelope = build(right, age=50, ttl=60)
    async with connected(slow), publisher(broker) as publish:
        publish(topic_of(right, envelope), envelopes.encode(envelope), 10)
        [receipt] = await gateway.settled(envelope.id)

    assert receipt.stage is Stage.HANDLED
    assert 10 < remaining[0] <= 12, "whole seconds of the gateway and of the broker, and not the bot's 55"
