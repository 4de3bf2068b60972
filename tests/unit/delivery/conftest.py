"""A delivery between a journal and a broker in memory, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import pytest

from gateway.delivery import Delivery, DeliverySettings
from gateway.errors import NotStored
from gateway.journal import Accepted, Destination, Draft, Identity, KnownBot, MemoryJournal, Outcome, Station
from gateway.mqtt import PacketTooLarge
from gateway.mqtt.memory import MemoryBroker, MemoryLink, Published
from gateway.telemetry import NullTelemetry
from tests.brokers import eventually
from tests.journal_drafts import receipt

START = 1_795_352_000_000_000
_numbers = count(1)


@dataclass
class Clock:
    now: int = START
    elapsed: float = 0.0

    def __call__(self) -> int:
        return self.now

    def timer(self) -> float:
        return self.elapsed

    def pass_(self, *, seconds: float) -> None:
        self.now += int(seconds * 1e6)
        self.elapsed += seconds

    def set_back(self, *, seconds: float) -> None:
        self.now -= int(seconds * 1e6)


@dataclass
class Bench:
    """The delivery under test and what is around it."""

    clock: Clock = field(default_factory=Clock)
    broker: MemoryBroker = field(default_factory=MemoryBroker)
    heard: list[bytes] = field(default_factory=list)
    tasks: list[asyncio.Task] = field(default_factory=list)
    settings: DeliverySettings = field(default_factory=lambda: DeliverySettings(sweep=0.01, audit=0.05))
    named: dict[str, tuple[str, ...]] = field(default_factory=dict)
    limited: dict[str, tuple[str, ...]] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)
    stock: set[str] = field(default_factory=set)
    telemetry: NullTelemetry = field(default_factory=NullTelemetry)

    async def start(self, *, listener: bool = True, **link: object) -> None:
        self.journal = MemoryJournal()
        self.link = MemoryLink(self.broker, client_id="gateway", on_connected=self.connected, **link)
        self.new_delivery()
        if listener:
            await self.listen()

    def connected(self) -> None:
        try:
            proof = self.link.publish("card", b"", retain=True)
        except PacketTooLarge:
            proof = None
        self.delivery.connected(proof)

    @property
    def published(self) -> list[Published]:
        """What the broker took of signals."""
        return [message for message in self.broker.published if message.topic != "card"]

    def new_delivery(self) -> None:
        self.delivery = Delivery(
            self.journal,
            self.link,
            telemetry=self.telemetry,
            clock=self.clock,
            timer=self.clock.timer,
            settings=self.settings,
            named=self.named,
            stock=self.stock,
            limited=lambda: self.limited,
            present=lambda bot: bot in self.present,
        )

    def bots(self, *, came: tuple[str, ...] | None = None, absent: tuple[str, ...] = (), **filters: str) -> None:
        """Let bots show their cards: each with a filter, online unless it is absent."""
        known = [
            KnownBot(name=name, filters=(one,), absent_since=self.clock() if name in absent else None)
            for name, one in filters.items()
        ]
        self.delivery.bots(known, tuple(set(filters) - set(absent)) if came is None else came)

    async def receipt(self, bot: str, *ids: str) -> None:
        """Let a bot send receipts: on disk, and known to the delivery."""
        for id_ in ids:
            self.delivery.received(bot, id_)
        await self.journal.receive([receipt(id_, bot=bot) for id_ in ids], at=self.clock())

    def answer(self, bot: str) -> None:
        """Let a bot send a receipt for all that is published, each time."""

        async def run() -> None:
            seen = 0
            while True:
                seen, new = len(self.published), self.published[seen:]
                await self.receipt(bot, *(json.loads(message.payload)["id"] for message in new))
                await asyncio.sleep(0.005)

        self.tasks.append(asyncio.create_task(run()))

    def sent(self, id_: str) -> int:
        """How often a signal was published."""
        return sum(json.loads(message.payload).get("id") == id_ for message in self.published)

    async def crash(self) -> None:
        """Let the delivery and its link die, and make a new delivery."""
        while self.tasks:
            await end(self.tasks.pop())
        self.new_delivery()

    async def listen(self) -> None:
        async def take(topic: str, payload: bytes) -> None:
            if topic != "card":
                self.heard.append(payload)

        link = MemoryLink(self.broker, client_id="bot")
        await link.subscribe("#", take)
        self.tasks.append(asyncio.create_task(link.run()))
        await link.wait_connected()

    def run(self) -> None:
        self.tasks.append(asyncio.create_task(self.link.run()))
        self.tasks.append(asyncio.create_task(self.delivery.run()))

    async def accept(self, key: str = "src/BTC-USDT", *, ttl: float = 60, **more: object) -> Accepted:
        """Commit one signal and offer it; returns it."""
        draft = self.draft(key, ttl=ttl, **more)
        (accepted,) = await self.journal.accept([draft])
        self.delivery.offer([accepted])
        return accepted

    def draft(
        self, key: str = "src/BTC-USDT", *, ttl: float = 60, effect: str = "open", **destination: object
    ) -> Draft:
        number = next(_numbers)
        source, _, instrument = key.partition("/")
        to = Destination(**{"name": "signals", "topic": f"signals/v1/trade/{key}", **destination})
        return Draft(
            id=f"id-{number}",
            source=source,
            body="trade",
            mode="live",
            instrument=instrument,
            effect=effect,
            key=key,
            accepted_at=self.clock(),
            expires_at=self.clock() + int(ttl * 1e6),
            head=b'{"specversion":"1.0","id":"id-%d"}' % number,
            identity=Identity(key=None, fingerprint=number.to_bytes(8)),
            destinations=(to,),
        )

    async def ended(self, id_: str, *, within: float = 5.0):
        """The delivery of a signal, once it is final."""
        found = []

        async def look() -> bool:
            (delivery,) = (await self.journal.life(id_)).deliveries
            found[:] = [delivery]
            return delivery.station.final and not (delivery.station is Station.PUBLISHED and delivery.awaiting)

        deadline = asyncio.get_running_loop().time() + within
        while not await look():
            assert asyncio.get_running_loop().time() < deadline, found
            await asyncio.sleep(0.005)
        return found[0]

    async def until_station(self, id_: str, station) -> None:
        while [delivery.station for delivery in (await self.journal.life(id_)).deliveries] != [station]:
            await asyncio.sleep(0.005)

    def tick(self, *, seconds: float) -> None:
        """Let the clock go on by itself, a hundred steps a second."""

        async def run() -> None:
            while True:
                self.clock.pass_(seconds=seconds)
                await asyncio.sleep(0.01)

        self.tasks.append(asyncio.create_task(run()))

    async def until(self, condition) -> None:
        await eventually(condition)


class FullDisk:
    """Stands before a journal's ``record``, and refuses until its disk has room again."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.full = True
        self._record = journal.record

    async def record(self, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
        if self.full:
            raise NotStored("disk", "full")
        return await self._record(outcomes)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for task in made.tasks:
        await end(task)


async def end(task: asyncio.Task) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
