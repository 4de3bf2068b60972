"""A gateway's commands over a link to the broker in memory, and bots that answer as a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from gateway.bots.calls import Call
from gateway.bots.commands import Commands
from gateway.bots.roster import BotState
from gateway.mqtt.memory import MemoryBroker, MemoryLink, Published
from gateway.telemetry import NullTelemetry
from schemas.rpc import read_request
from schemas.signature import CommandKey
from schemas.topics import Topics

NOW = 1_795_352_101_123_456
TOPICS = Topics()
DONE = b'{"header":{},"data":{"status":200,"msg":"ok"}}'


class Heard(NullTelemetry):
    """Remembers what is told of commands."""

    def __init__(self) -> None:
        self.commands: list[dict[str, Any]] = []
        self.strays: list[str] = []

    def commanded(self, **facts: Any) -> None:
        self.commands.append(facts)

    def stray_reply(self, *, topic: str) -> None:
        self.strays.append(topic)


@dataclass
class Bench:
    broker: MemoryBroker
    link: MemoryLink
    commands: Commands
    heard: Heard
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def connect(self, name: str) -> MemoryLink:
        link = MemoryLink(self.broker, client_id=name)
        self.tasks.append(asyncio.create_task(link.run()))
        await link.wait_connected()
        return link

    async def bot(self, answer: Callable[[bytes], bytes | None], name: str = "one") -> MemoryLink:
        """A bot that answers every command; None for silence."""
        link = await self.connect(name)

        async def handle(_: str, payload: bytes) -> None:
            reply = answer(payload)
            if reply is not None:
                link.publish(read_request(payload).reply_to, reply)

        await link.subscribe(f"hbot/{name}/#", handle)
        return link

    @property
    def sent(self) -> list[Published]:
        return [message for message in self.broker.published if message.topic.startswith("hbot/")]


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Any]]:
    benches: list[Bench] = []

    async def made(
        *,
        keys: dict[str, CommandKey] | None = None,
        window: int = 16,
        remembers: bool = False,
        state: BotState | None = None,
        **options: Any,
    ) -> Bench:
        broker, heard, numbers = MemoryBroker(), Heard(), count(1)
        link = MemoryLink(broker, window=window, **options)
        commands = Commands(
            link,
            topics=TOPICS,
            keys=keys or {},
            telemetry=heard,
            remembers=lambda *_: remembers,
            find=lambda _: state,
            clock=lambda: NOW,
            new_id=lambda: f"id-{next(numbers)}",
        )
        bench = Bench(broker, link, commands, heard)
        benches.append(bench)
        await link.subscribe(commands.filter, commands.take)
        bench.tasks.append(asyncio.create_task(link.run()))
        await link.wait_connected()
        return bench

    yield made
    tasks = [task for bench in benches for task in bench.tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def call(command: str = "status", *, bot: str = "one", timeout: float = 5, key: str = "", **data: Any) -> Call:
    return Call(bot=bot, command=command, data=data, who="alice", timeout=timeout, key=key)
