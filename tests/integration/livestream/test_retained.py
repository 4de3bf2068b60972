"""What somebody had a broker keep for ``ai_livestream`` is found, cleared and reported, whatever the broker is."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from tests.brokers import eventually
from tests.link_stages import STAGES
from tests.livestream_stage import NEUTRAL, TOPICS, LivestreamStage, probabilities

TOPIC = TOPICS.ml_signals("BTC-USDT")
FOREIGN = b'{"probabilities":[0,0,1]}'


@pytest.fixture(params=STAGES)
async def stage(request, mosquitto):
    async with STAGES[request.param](mosquitto) as built:
        yield built


@asynccontextmanager
async def gateway(stage, **more):
    """A livestream at the stage's broker, once it is connected."""
    made = LivestreamStage(**more)
    livestream = made.put(stage.link("gateway", on_connected=made.connected))
    await livestream.recall()
    await livestream.listen()
    stage.run(made.link)
    await asyncio.wait_for(made.link.wait_connected(), 10)
    task = asyncio.create_task(livestream.run())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def kept(stage, client_id):
    """What the broker gives to who comes now, before anything is said anew."""
    heard = []
    link = await stage.connected(client_id)
    await link.subscribe(TOPIC, lambda _, payload: heard.append(payload), new=False)
    await link.subscribe("t/end", lambda *_: heard.append(None))
    await link.publish("t/end", b"")
    await eventually(lambda: None in heard)
    return [payload for payload in heard if payload is not None]


async def test_what_was_kept_is_cleared_and_reported_at_the_connection(stage):
    """A bot that connects later hears the gateway's word alone."""
    other, heard = await stage.connected("other"), []
    await asyncio.wait_for(other.publish(TOPIC, FOREIGN, retain=True), 10)
    assert await kept(stage, "before") == [FOREIGN]

    async with gateway(stage, pairs=("BTC-USDT",)) as made:
        await eventually(lambda: made.told.found == [(TOPIC, "")])
        assert await kept(stage, "after") == []
        bot = await stage.connected("bot")
        await bot.subscribe(TOPIC, lambda _, payload: heard.append(payload))
        made.elapsed += 5
        await eventually(lambda: heard)
    assert [probabilities(payload) for payload in heard] == [NEUTRAL]


async def test_what_is_kept_later_is_found_at_the_next_connection(stage):
    """While the gateway is connected it is one message among others; the gateway's own words are never found."""
    other = await stage.connected("other")
    async with gateway(stage, pairs=("BTC-USDT",)) as made:
        await eventually(lambda: made.told.outcomes)
        await asyncio.wait_for(other.publish(TOPIC, FOREIGN, retain=True), 10)
        assert made.told.found == []
        stage.cut()
        await eventually(lambda: not made.link.connected)
        stage.restore()
        await eventually(lambda: made.told.found == [(TOPIC, "")])
    assert await kept(stage, "after") == []


async def test_a_pair_that_is_first_predicted_later_is_looked_at_too(stage):
    """What others keep for pairs that are not said here is left alone."""
    other = await stage.connected("other")
    await asyncio.wait_for(other.publish(TOPIC, FOREIGN, retain=True), 10)
    async with gateway(stage) as made:
        await made.accept("ETH-USDT")
        await eventually(lambda: made.told.outcomes)
        assert made.told.found == []
        await made.accept("BTC-USDT")
        await eventually(lambda: made.told.found == [(TOPIC, "")])
    assert await kept(stage, "after") == []
