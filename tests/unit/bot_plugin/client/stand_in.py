"""Bots on the fake broker that answer as a test says, and what makes that broker fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from bot_plugin.client import BotClient, ClientSettings
from bot_plugin.fake import FakeBroker, FakeLink
from bot_plugin.transport import Before, LinkSettings, Message, Receive, at_once
from schemas import telemetry
from schemas.rpc import OK, Reply, Request, read_request, write_reply

SETTINGS = ClientSettings(name="desk", timeout=5.0)

Answer = Callable[[str, Request], bytes | None]
"""The bot's reply to a request on a command; None for silence."""


def done(**more: Any) -> Answer:
    return lambda _command, _request: write_reply(Reply(status=OK, more=more))


def refuses(words: str) -> Answer:
    return lambda _command, _request: write_reply(Reply(status=400, msg=words))


def silent(_command: str, _request: Request) -> None:
    return None


async def eventually(condition: Callable[[], Any], *, within: float = 5.0) -> Any:
    async with asyncio.timeout(within):
        while not (value := condition()):
            await asyncio.sleep(0.002)
    return value


class StandIn:
    """A bot: it takes every command, and publishes what ``answer`` says on the topic that the caller chose."""

    def __init__(self, broker: FakeBroker, name: str = "bot1", *, answer: Answer = silent) -> None:
        self.name, self.answer = name, answer
        self.requests: list[tuple[str, Request]] = []
        self.documents: list[Any] = []
        self.life: asyncio.Future[None] | None = None
        self._broker, self._answer = broker, answer
        self._link = broker.link(
            LinkSettings(host="fake", client_id=f"hbot.{name}", filters=(f"hbot/{name}/#",), clean=True)
        )

    def tell(self, channel: str, said: telemetry.Telemetry) -> None:
        self._broker.publish(f"hbot/{self.name}/{channel}", telemetry.write(said))

    def beat(self) -> None:
        self.tell("hb", telemetry.Heartbeat(at=1_795_342_501_000_000))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[StandIn]:
        task = asyncio.ensure_future(self._link.run(self._receive, lambda: None))
        try:
            await eventually(lambda: self._link.connected)
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _receive(self, message: Message) -> None:
        command = message.topic.removeprefix(f"hbot/{self.name}/")
        if command in telemetry_channels():
            return
        request = read_request(message.payload)
        self.requests.append((command, request))
        self.documents.append(json.loads(message.payload))
        reply = self.answer(command, request)
        if reply is not None:
            self._broker.publish(request.reply_to, reply)


def telemetry_channels() -> set[str]:
    return {"hb", "status_updates", "events", "notify", "log", "performance"}


class DenyingBroker(FakeBroker):
    """A broker whose rules let nobody publish commands."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        return 0x87 if topic.startswith("hbot/") else super().publish(topic, payload, retain=retain)


class FailingLink(FakeLink):
    """A link whose network can be away."""

    def __init__(self, broker: FakeBroker, settings: LinkSettings, network: asyncio.Event) -> None:
        super().__init__(broker, settings)
        self._network = network

    async def run(self, receive: Receive, on_connect: Callable[[], None], before: Before = at_once) -> None:
        async def there() -> None:
            await before()
            await self._network.wait()

        await super().run(receive, on_connect, there)


class Network:
    """The way of the client to a fake broker, which can be cut."""

    def __init__(self, broker: FakeBroker) -> None:
        self.links: list[FailingLink] = []
        self._broker, self._there = broker, asyncio.Event()
        self._there.set()

    def link(self, settings: LinkSettings) -> FailingLink:
        self.links.append(FailingLink(self._broker, settings, self._there))
        return self.links[-1]

    def cut(self) -> None:
        self._there.clear()
        for link in self.links:
            link.cut()

    def mend(self) -> None:
        self._there.set()


def client_on(broker: FakeBroker | Network, settings: ClientSettings = SETTINGS, **options: Any) -> BotClient:
    return BotClient(settings, connect=broker.link, **options)
