"""Streams of what bots tell: of one bot or of all, bounded, and deaf to what is none."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot_plugin.client import LinkRefused
from bot_plugin.fake import FakeBroker, FakeLink
from bot_plugin.receipts import encode
from bot_plugin.transport import LinkSettings
from schemas import telemetry
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from tests.unit.bot_plugin.client.stand_in import SETTINGS, Network, StandIn, client_on, eventually

AT = 1_795_342_501_000_000

SAID = {
    "heartbeats": ("hb", telemetry.Heartbeat(at=AT)),
    "statuses": ("status_updates", telemetry.StatusUpdate(msg="online", at=AT)),
    "events": ("events", telemetry.InternalEvent(type="OrderFilled", data={"price": 1}, at=AT)),
    "notifications": ("notify", telemetry.Notification(msg="Winding down...", at=None)),
    "logs": ("log", telemetry.LogLine(msg="a/b", level=30, level_name="WARNING", logger="hummingbot.x", at=AT)),
    "performance": ("performance", telemetry.Performance(controllers={"c": {"performance": {"pnl": 1}}})),
}


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.mark.parametrize("name", SAID)
async def test_a_stream_brings_what_every_bot_tells_or_one(broker: FakeBroker, name: str) -> None:
    """Each kind comes typed, with the bot that said it and the time when it came."""
    channel, said = SAID[name]
    one, two = StandIn(broker, "bot1"), StandIn(broker, "bot2")
    async with (
        client_on(broker, now=lambda: AT) as client,
        getattr(client, name)() as every,
        getattr(client, name)("bot2") as second,
    ):
        one.tell(channel, said)
        two.tell(channel, said)
        heard = [await anext(every), await anext(every)]
        only = await anext(second)

    assert [(told.bot, told.said) for told in heard] == [("bot1", said), ("bot2", said)]
    assert (only.bot, only.said, only.received_at) == ("bot2", said, from_micros(AT))


async def test_receipts_are_a_stream_too(broker: FakeBroker) -> None:
    """What became of signals at bots with the plugin is there for third parties."""
    receipt = Receipt(signal="s1", bot="bot1", stage=Stage.HANDLED, at=from_micros(AT), handler="act")
    async with client_on(broker) as client, client.receipts() as receipts:
        broker.publish("signals/v1/receipt/bot2", encode(receipt, "another's"))
        broker.publish("signals/v1/receipt/bot1", encode(receipt, "r1"))
        told = await anext(receipts)
        assert receipts.unreadable == 1

    assert (told.bot, told.said.signal, told.said.stage) == ("bot1", "s1", Stage.HANDLED)


async def test_a_program_that_is_slower_than_the_bots_loses_the_oldest_and_is_told(broker: FakeBroker) -> None:
    """Memory is bounded; what is dropped is counted."""
    bot = StandIn(broker)
    async with client_on(broker) as client, client.logs(size=3) as lines:
        for number in range(10):
            bot.tell("log", telemetry.LogLine(msg=str(number)))
        await eventually(lambda: lines.dropped == 7)
        kept = [(await anext(lines)).said.msg for _ in range(3)]

    assert kept == ["7", "8", "9"]


@pytest.mark.parametrize("hostile", [b"", b"\xff", b"[]", b'{"msg":1}', b"{" * 10_000])
async def test_what_cannot_be_read_is_counted_and_left(broker: FakeBroker, hostile: bytes) -> None:
    """Rubbish on a channel ends no stream."""
    async with client_on(broker) as client, client.logs() as lines:
        broker.publish("hbot/bot1/log", hostile)
        broker.publish("hbot/bot.1/log", telemetry.write(telemetry.LogLine(msg="no name of a bot")))
        StandIn(broker).tell("log", telemetry.LogLine(msg="good"))

        assert (await anext(lines)).said.msg == "good"
        assert lines.unreadable == 2


async def test_a_limited_client_listens_to_its_bots_by_name(broker: FakeBroker) -> None:
    """Where a login may not listen to every bot, "all" is those that the settings name."""
    async with client_on(broker, replace(SETTINGS, bots=("bot2",))) as client, client.logs() as lines:
        for name in ("bot1", "bot2"):
            StandIn(broker, name).tell("log", telemetry.LogLine(msg=name))

        assert (await anext(lines)).bot == "bot2"
        filters = [
            topic for link in broker._links.values() for topic in (*link.settings.filters, *link.settings.optional)
        ]
        assert not [topic for topic in filters if topic.startswith("hbot/+")]


async def test_a_stream_goes_on_after_an_outage(broker: FakeBroker) -> None:
    """The connection is made again by itself."""
    network, bot = Network(broker), StandIn(broker)
    async with client_on(network) as client, client.logs() as lines:
        network.cut()
        await eventually(lambda: not lines.connected)
        network.mend()
        await eventually(lambda: lines.connected)
        bot.tell("log", telemetry.LogLine(msg="again"))

        assert (await anext(lines)).said.msg == "again"


async def test_a_stream_ends_with_its_client(broker: FakeBroker) -> None:
    """Whoever waits for more is let go."""
    heard: list[Any] = []

    async def listen(stream: Any) -> None:
        heard.extend([told.said.msg async for told in stream])

    async with client_on(broker) as client:
        lines = client.logs()
        listening = asyncio.ensure_future(listen(lines))
        await eventually(lambda: lines.connected)
        StandIn(broker).tell("log", telemetry.LogLine(msg="last"))
        await eventually(lambda: heard or not lines._waiting)
    await asyncio.wait_for(listening, 5)

    assert heard == ["last"]


async def test_waiting_for_the_next_has_an_end(broker: FakeBroker) -> None:
    """``next`` returns None where nothing comes in time."""
    async with client_on(broker) as client, client.logs() as lines:
        assert await lines.next(within=0.02) is None


async def test_waiting_for_the_next_begins_again_where_the_broker_was_away(broker: FakeBroker) -> None:
    """A stream that could not be opened in time is opened by the next question."""
    network, bot = Network(broker), StandIn(broker)
    async with client_on(network) as client:
        lines = client.logs()
        network.cut()
        assert await lines.next(within=0.02) is None
        network.mend()
        waiting = asyncio.ensure_future(lines.next(within=5))
        await eventually(lambda: lines.connected or waiting.done())
        bot.tell("log", telemetry.LogLine(msg="again"))
        told = await waiting

    assert told is not None
    assert told.said.msg == "again"


async def test_a_stream_that_the_broker_refuses_is_refused(broker: FakeBroker) -> None:
    """A login without the permission is told at the start."""

    class Refusing(FakeLink):
        async def run(self, *arguments: Any) -> None:
            if "hbot/+/log" in self.settings.filters:
                raise LinkRefused("the broker does not let you listen to hbot/+/log")
            await super().run(*arguments)

    def link(settings: LinkSettings) -> FakeLink:
        return Refusing(broker, settings)

    fakes: Any = type("Broker", (), {"link": staticmethod(link)})
    async with client_on(fakes) as client:
        with pytest.raises(LinkRefused, match="hbot/"):
            async with client.logs():
                pass
        with pytest.raises(LinkRefused):
            await anext(client.logs())


async def test_a_stream_of_nothing_is_a_mistake(broker: FakeBroker) -> None:
    """A size below 1 is refused."""
    async with client_on(broker) as client:
        with pytest.raises(ValueError, match="1 message or more"):
            client.logs(size=0)
