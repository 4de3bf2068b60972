"""A bot beside which somebody else tells the same: heartbeats and status updates are sent once, and never by nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from bot_plugin import PluginSettings, SignalListener
from bot_plugin.telemetry import sender
from bot_plugin.testing import Rig, running
from schemas.telemetry import read
from tests.brokers import eventually


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch) -> SignalListener:
    monkeypatch.setattr(sender, "HEARTBEAT", 0.02)
    return SignalListener(PluginSettings(bot="demo"))


def told(rig: Rig, channel: str) -> list[str]:
    topic = f"hbot/demo/{channel}"
    found = [message.payload for message in rig.broker.published if message.topic == topic]
    return [getattr(read(channel, payload), "msg", "") for payload in found]


async def test_what_somebody_else_sends_is_not_sent_and_all_the_rest_is(bot: SignalListener) -> None:
    """While the other one beats, this one neither beats nor says that the bot comes and goes."""
    bot.telemetry.elsewhere = lambda channel: channel in {"hb", "status_updates"}
    async with running(bot) as rig:
        bot.telemetry.notify("bought")
        await eventually(lambda: told(rig, "notify"))

    assert told(rig, "hb") == told(rig, "status_updates") == []


async def test_when_the_other_one_stops_this_one_goes_on(bot: SignalListener) -> None:
    """The bot is shown alive by the next heartbeat, and says again that it is online."""
    others, asked = {"hb", "status_updates"}, []

    def elsewhere(channel: str) -> bool:
        asked.append(channel)
        return channel in others

    bot.telemetry.elsewhere = elsewhere
    async with running(bot) as rig:
        await eventually(lambda: asked)
        others.clear()
        await eventually(lambda: told(rig, "hb"))
        assert told(rig, "status_updates") == ["online"]
        others.update({"hb", "status_updates"})
        asked.clear()
        await eventually(lambda: asked.count("hb") >= 2)
        beats = len(told(rig, "hb"))
        await eventually(lambda: asked.count("hb") >= 4)
        assert len(told(rig, "hb")) == beats
        others.clear()
        await eventually(lambda: len(told(rig, "status_updates")) == 2)

    assert told(rig, "status_updates") == ["online", "online", "offline"]


async def test_an_answer_that_fails_counts_as_no(bot: SignalListener, caplog: pytest.LogCaptureFixture) -> None:
    """A bot is rather told of twice than not at all."""

    def fail(channel: str) -> bool:
        raise LookupError(channel)

    elsewhere: Callable[[str], bool] = fail
    bot.telemetry.elsewhere = elsewhere
    with caplog.at_level(logging.ERROR):
        async with running(bot) as rig:
            await eventually(lambda: told(rig, "hb"))

    assert told(rig, "status_updates")[0] == "online"
    assert "who sends 'hb' is not known: it is sent" in caplog.text
