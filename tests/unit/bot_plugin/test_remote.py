"""The second connection: when it is made, what it carries, and that nothing on it ends the bot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from bot_plugin import LinkRefused, MemoryInbox, NameTaken, PluginSettings, SignalListener
from bot_plugin.errors import TakenOver
from bot_plugin.remote import Remote, RemotePart
from bot_plugin.testing import FakeBroker, FakeLink, build, running
from bot_plugin.transport import Before, Link, LinkSettings, Message, Receive, at_once
from schemas import envelope as envelopes
from schemas.receipt import Stage
from tests.brokers import eventually

DEMO = PluginSettings(bot="demo", grace=0.05)


class Part:
    """A part that remembers what it was told."""

    filters = ("hbot/demo/stop", "hbot/demo/status", "hbot/demo/command/+")

    def __init__(self) -> None:
        self.told: list[str] = []
        self.got: list[Message] = []

    def connected(self, link: Link) -> None:
        self.told.append("connected")

    async def receive(self, message: Message) -> None:
        self.got.append(message)

    async def run(self) -> None:
        self.told.append("running")
        try:
            await asyncio.Event().wait()
        finally:
            self.told.append("ended")

    async def farewell(self, link: Link) -> None:
        self.told.append("farewell")
        await link.publish("hbot/demo/status_updates", b"offline", qos=0)


class Bot(SignalListener):
    """A listener with parts of a test's own."""

    def __init__(self, *parts: RemotePart, settings: PluginSettings = DEMO) -> None:
        super().__init__(settings, inbox=MemoryInbox())
        self.parts = parts

    def _parts(self) -> tuple[RemotePart, ...]:
        return self.parts


async def test_a_part_works_from_the_start_hears_its_filters_and_says_goodbye() -> None:
    part = Part()
    async with running(Bot(part)) as rig:
        await eventually(lambda: "connected" in part.told)
        codes = [rig.broker.publish(topic, b"{}") for topic in ("hbot/demo/stop", "hbot/demo/command/x", "hbot/a/stop")]

        assert codes == [0, 0, 0x10]
        await eventually(lambda: len(part.got) == 2)

    assert [message.topic for message in part.got] == ["hbot/demo/stop", "hbot/demo/command/x"]
    assert part.told == ["running", "connected", "farewell", "ended"]
    assert "hbot/demo/status_updates" in [message.topic for message in rig.broker.published]


async def test_a_cut_connection_comes_back_and_the_parts_are_told() -> None:
    part = Part()
    async with running(Bot(part)) as rig:
        await eventually(lambda: "connected" in part.told)
        rig.broker.drop("signals.demo.cmd")
        await eventually(lambda: part.told.count("connected") == 2)


async def test_what_came_while_it_was_away_does_not_come_later() -> None:
    broker, part = FakeBroker(), Part()
    async with running(Bot(part), broker=broker):
        await eventually(lambda: "connected" in part.told)

    assert broker.publish("hbot/demo/stop", b"{}") == 0x10
    async with running(Bot(part), broker=broker):
        await eventually(lambda: part.told.count("connected") == 2)
        broker.publish("hbot/demo/status", b"{}")
        await eventually(lambda: part.got)

    assert [message.topic for message in part.got] == ["hbot/demo/status"]


async def test_a_process_whose_name_is_taken_does_not_touch_the_connection_of_the_other() -> None:
    broker, part = FakeBroker(), Part()
    first = Bot(part)
    lives = asyncio.ensure_future(first.run(connect=broker.link))
    await eventually(lambda: "connected" in part.told)

    with pytest.raises(NameTaken):
        await Bot(Part()).run(connect=broker.link)

    assert broker.publish("hbot/demo/stop", b"{}") == 0
    assert part.told == ["running", "connected"]
    first.stop()
    await lives


class Refusing(FakeLink):
    """A connection that the broker refuses a few times."""

    attempts = 0

    def __init__(self, broker: FakeBroker, settings: LinkSettings, error: Exception) -> None:
        super().__init__(broker, settings)
        self._error = error

    async def run(self, receive: Receive, on_connect: Callable[[], None], before: Before = at_once) -> None:
        self.attempts += 1
        if self.attempts < 3:
            raise self._error
        await super().run(receive, on_connect, before)


@pytest.mark.parametrize("error", [LinkRefused("the broker refuses it."), TakenOver("another has the client id.")])
async def test_a_connection_that_is_refused_is_tried_again_and_said_in_words(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    part = Part()
    link = Refusing(FakeBroker(), LinkSettings(host="", client_id="signals.demo.cmd"), error)
    remote = Remote((part,), link, grace=0, patience=0.001)
    remote.begin()
    task = asyncio.ensure_future(remote.run())
    await eventually(lambda: "connected" in part.told)
    task.cancel()
    await asyncio.wait({task})

    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        f"no commands and no telemetry: {error} Signals go on; the next try is in 0.001 s."
    ] * 2


async def test_a_part_that_fails_on_a_connection_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Signals do not depend on the second connection, whatever happens on it."""

    class Failing(Part):
        def connected(self, link: Link) -> None:
            if "failed" not in self.told:
                self.told.append("failed")
                raise ValueError("not now")
            super().connected(link)

    part, broker = Failing(), FakeBroker()
    remote = Remote((part,), broker.link(LinkSettings(host="", client_id="signals.demo.cmd")), grace=0, patience=0.001)
    remote.begin()
    task = asyncio.ensure_future(remote.run())
    await eventually(lambda: "connected" in part.told or task.done())
    task.cancel()
    await asyncio.wait({task})

    assert part.told.count("failed") == 1
    assert "connected" in part.told
    assert "no commands and no telemetry; signals go on; the next try is in 0.001 s" in caplog.text


async def test_signals_go_on_while_the_second_connection_is_refused() -> None:
    broker, bot, seen = FakeBroker(), Bot(Part()), []

    def connect(settings: LinkSettings) -> Link:
        refused = LinkRefused("the broker refuses it.")
        return Refusing(broker, settings, refused) if settings.client_id.endswith(".cmd") else broker.link(settings)

    @bot.on_trade()
    async def act(signal: Any) -> None:
        seen.append(signal.id)

    running = asyncio.ensure_future(bot.run(connect=connect))
    await bot.wait_connected()
    envelope = build(bot)
    broker.publish("signals/v1/trade/test/BTC-USDT", envelopes.encode(envelope))
    await eventually(lambda: seen == [envelope.id])
    bot.stop()
    await running


async def test_a_part_that_fails_on_a_message_or_on_its_farewell_ends_nothing(caplog: Any) -> None:
    class Failing(Part):
        async def receive(self, message: Message) -> None:
            raise ValueError("no such thing")

        async def farewell(self, link: Link) -> None:
            raise ValueError("no goodbye")

    failing, part = Failing(), Part()
    async with running(Bot(failing, part)) as rig:
        await eventually(lambda: "connected" in part.told)
        rig.broker.publish("hbot/demo/stop", b"{}")
        await eventually(lambda: part.got)

    assert "a message on hbot/demo/stop was not taken" in caplog.text
    assert "Failing did not end as it should" in caplog.text


async def test_a_farewell_that_hangs_is_cut_at_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot_plugin.remote._GOODBYE", 0.01)

    class Hanging(Part):
        async def farewell(self, link: Link) -> None:
            await asyncio.Event().wait()

    async with asyncio.timeout(5), running(Bot(Hanging())):
        pass


async def test_a_part_whose_worker_dies_ends_the_bot() -> None:
    class Dying(Part):
        async def run(self) -> None:
            raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        await asyncio.wait_for(Bot(Dying()).run(connect=FakeBroker().link), 5)


async def test_a_bot_with_signals_and_parts_handles_both() -> None:
    part = Part()
    bot = Bot(part)

    @bot.on_trade()
    async def act(signal: Any) -> None: ...

    async with running(bot) as rig:
        await eventually(lambda: "connected" in part.told)
        envelope = build(bot)
        rig.send(envelope)
        rig.broker.publish("hbot/demo/stop", b"{}")
        [receipt] = await rig.settled(envelope.id)
        await eventually(lambda: part.got)

    assert receipt.stage is Stage.HANDLED
