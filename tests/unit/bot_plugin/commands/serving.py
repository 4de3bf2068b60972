"""A listener with commands, and ways to command it as nobody should."""

from __future__ import annotations

from typing import Any

from bot_plugin import MemoryInbox, PluginSettings, RemoteCommands, SignalListener, SqliteInbox
from bot_plugin.fake import FakeBroker
from bot_plugin.testing import Rig
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock

DEMO = PluginSettings(bot="demo", grace=0.2)

REPLY = "signals/v1/reply/demo/test/1"


def serving(
    commands: RemoteCommands, settings: PluginSettings = DEMO, *, clock: Clock | None = None, durable: bool = False
) -> SignalListener:
    clock = clock or Clock()
    path = settings.state_folder / f"{settings.bot}.inbox.db"
    inbox = SqliteInbox(path) if durable else MemoryInbox(monotonic=clock.monotonic)
    listener = SignalListener(settings, inbox=inbox, now=clock, monotonic=clock.monotonic)
    listener.serve(commands)
    return listener


async def publish(rig: Rig, name: str, payload: bytes) -> None:
    """Publish a message to a command topic of the bot, once the bot listens."""
    await eventually(lambda: "signals.demo.cmd" in rig.broker._links)
    assert rig.broker.publish(f"hbot/demo/{name}", payload) == 0


async def counted(commands: RemoteCommands, **outcomes: int) -> None:
    """Wait until so many commands have ended in these ways, and none in another."""
    await eventually(lambda: sum(commands.counts.values()) >= sum(outcomes.values()))
    assert {str(outcome): number for outcome, number in commands.counts.items()} == outcomes


def sent(broker: FakeBroker, topic: str) -> list[bytes]:
    return [message.payload for message in broker.published if message.topic == topic]


class Counting:
    """A target that counts, and can be held."""

    def __init__(self) -> None:
        self.runs: list[str] = []

    async def start(self, request: Any) -> str:
        self.runs.append("start")
        return f"run {len(self.runs)}"

    async def stop(self, request: Any) -> str:
        self.runs.append("stop")
        return f"run {len(self.runs)}"

    async def status(self, request: Any) -> str:
        self.runs.append("status")
        return f"run {len(self.runs)}"
