"""BotClient on the gateway's embedded broker, which speaks MQTT 3.1.1 and gives each login topics of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import PluginSettings, RemoteCommands, SignalListener
from bot_plugin.client import BotClient, ClientSettings, LinkRefused, Outcome, Profile
from bot_plugin.reconnecting import MqttLink
from bot_plugin.transport import LinkSettings, Message
from gateway.mqtt import Permissions
from gateway.mqtt.embedded import EmbeddedBroker, EmbeddedSettings
from schemas import telemetry
from schemas.topics import TELEMETRY
from tests.brokers import eventually
from tests.integration.bot_plugin.rig import connected, task

WATCH = (
    "signals/v1/bot/+",
    "signals/v1/receipt/+",
    *(f"hbot/+/{channel}" for channel in ("hb", "status_updates", "log")),
)
LOGINS = {
    "bot1": Permissions(publish=("signals/v1/+/bot1/#", "signals/v1/bot/bot1", "hbot/bot1/#"), subscribe=("#",)),
    "desk": Permissions(publish=("hbot/+/stop",), subscribe=(*WATCH, "signals/v1/reply/+/desk/+")),
    "one": Permissions(
        publish=("hbot/bot1/stop",),
        subscribe=(
            *(f"signals/v1/{kind}/bot1" for kind in ("bot", "receipt")),
            *(f"hbot/bot1/{channel}" for channel in TELEMETRY),
            "signals/v1/reply/+/one/+",
        ),
    ),
    "guest": Permissions(subscribe=WATCH),
}


class Logins:
    """Every password is the user's name."""

    def login(self, username: str, password: str) -> Permissions | None:
        return LOGINS.get(username) if password == username else None


class Target:
    def stop(self, _: Any) -> str:
        return "stopped"


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(EmbeddedSettings(port=0), logins=Logins())
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def bot(broker: EmbeddedBroker, tmp_path: Path) -> AsyncIterator[SignalListener]:
    settings = PluginSettings(
        bot="bot1", port=broker.port, username="bot1", password="bot1", grace=0.2, state_dir=str(tmp_path)
    )
    listener = SignalListener(settings)
    listener.serve(RemoteCommands(Target()))
    async with connected(listener):
        yield listener


def login(broker: EmbeddedBroker, name: str) -> ClientSettings:
    return ClientSettings(host="127.0.0.1", port=broker.port, username=name, password=name, timeout=5)


async def answering(client: BotClient) -> None:
    async with asyncio.timeout(10):
        while not (await client.stop("bot1", within=0.5)).ok:
            pass


async def tell(broker: EmbeddedBroker, topic: str, said: telemetry.Telemetry) -> None:
    """Publish it as bot1 does."""
    settings = LinkSettings(
        host="127.0.0.1", port=broker.port, client_id="tell", username="bot1", password="bot1", clean=True
    )
    link = MqttLink(settings)
    async with task(link.run(ignore, lambda: None)):
        await eventually(lambda: link.connected)
        await link.publish(topic, telemetry.write(said))


async def ignore(_: Message) -> None:
    """Listen to nothing."""


async def test_a_login_commands_finds_and_hears_a_bot(broker: EmbeddedBroker, bot: SignalListener) -> None:
    """Answers, cards and streams come; what the login may not do is unknown, as MQTT 3.1.1 cannot say no."""
    async with BotClient(login(broker, "desk")) as client, client.logs() as lines:
        await answering(client)
        result, denied = await client.stop("bot1"), await client.start("bot1", within=0.3)
        await tell(broker, "hbot/bot1/log", telemetry.LogLine(msg="hello"))
        told = await lines.next(within=5)
        seen = client.bot("bot1")

    assert (result.outcome, result.msg, result.confirmed) == (Outcome.DONE, "stopped", True)
    assert denied.outcome is Outcome.UNKNOWN
    assert (seen.profile, seen.alive, seen.commands) == (Profile.PLUGIN, True, ("stop",))
    assert told is not None
    assert told.said.msg == "hello"


async def test_a_login_that_is_limited_to_bots_names_them(
    broker: EmbeddedBroker, bot: SignalListener, caplog: pytest.LogCaptureFixture
) -> None:
    """It listens to its bots one by one, cards and receipts too: the broker denies nothing of it."""
    settings = replace(login(broker, "one"), bots=("bot1",))
    async with BotClient(settings) as client:
        await answering(client)
        for stream in (client.heartbeats, client.statuses, client.events, client.notifications, client.logs):
            async with stream():
                pass
        async with client.performance(), client.receipts():
            seen = client.bot("bot1")
        with pytest.raises(LinkRefused, match="hbot/bot2/log"):
            async with client.logs("bot2"):
                pass

    assert (seen.profile, seen.commands) == (Profile.PLUGIN, ("stop",))
    assert "does not let" not in caplog.text


async def test_a_login_that_may_not_read_its_replies_is_refused_unless_it_only_watches(broker: EmbeddedBroker) -> None:
    """Who could never hear an answer is told at the start."""
    with pytest.raises(LinkRefused, match=r"does not let .* listen to signals/v1/reply/\+/guest/\+"):
        async with BotClient(login(broker, "guest")):
            pass
    async with BotClient(replace(login(broker, "guest"), watch_only=True)) as client:
        await eventually(lambda: client.connected)
