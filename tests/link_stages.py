"""Every broker that a link can have, each behind the same controls, so that one suite holds for all."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.mqtt import GmqttLink, LinkSettings, Permissions, Version
from gateway.mqtt.embedded import EmbeddedBroker, EmbeddedSettings
from gateway.mqtt.memory import MemoryBroker, MemoryLink
from tests.brokers import Proxy

LARGEST = 20_000
ACL = "pattern readwrite t/#\n"


class Stage:
    """A broker and the links that it gets."""

    version = Version.V5

    def __init__(self):
        self._tasks = []

    def link(self, client_id, **extras):
        raise NotImplementedError

    def run(self, link):
        """Run a link until the stage is struck; returns its task."""
        task = asyncio.create_task(link.run())
        self._tasks.append(task)
        return task

    async def connected(self, client_id, **extras):
        link = self.link(client_id, **extras)
        self.run(link)
        async with asyncio.timeout(10):
            await link.wait_connected()
        return link

    async def strike(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class MemoryStage(Stage):
    def __init__(self):
        super().__init__()
        self.broker = MemoryBroker(max_packet_size=LARGEST)
        self.broker.deny("denied/#")

    def link(self, client_id, **extras):
        return MemoryLink(self.broker, client_id=client_id, **extras)

    def hold(self):
        self.broker.hold()

    def cut(self):
        self.broker.cut()

    def restore(self):
        self.broker.restore()

    async def restart(self):
        self.broker.cut()
        self.broker.restore()


class NetworkStage(Stage):
    """A real broker behind a proxy."""

    def __init__(self, proxy, broker, version):
        super().__init__()
        self.proxy = proxy
        self.broker = broker
        self.version = version
        self.hold, self.cut, self.restore = proxy.hold, proxy.cut, proxy.restore

    def link(self, client_id, **extras):
        handed = {name: extras.pop(name) for name in ("on_connected", "heard", "jitter") if name in extras}
        settings = LinkSettings(
            host=self.proxy.host,
            port=self.proxy.port,
            client_id=client_id,
            version=self.version,
            backoff=(0.02, 0.1),
            username="anybody",
            password="secret",
        )
        return GmqttLink(replace(settings, **extras), **handed)

    async def restart(self):
        await asyncio.to_thread(self.broker.restart)


class EmbeddedStage(NetworkStage):
    def link(self, client_id, **extras):
        extras.setdefault("max_packet_size", self.broker.max_packet_size)
        return super().link(client_id, heard=self.broker.heard, **extras)

    async def restart(self):
        await self.broker.stop()
        await self.broker.start()


class Anybody:
    """Logins with one password for all."""

    def login(self, username, password):
        return Permissions(publish=("t/#",), subscribe=("t/#",)) if password == "secret" else None


@asynccontextmanager
async def memory(make_mosquitto):
    stage = MemoryStage()
    yield stage
    await stage.strike()


def _network(version):
    @asynccontextmanager
    async def stage(make_mosquitto):
        broker = make_mosquitto(acl=ACL, options=(f"max_packet_size {LARGEST}",), persistent=True)
        proxy = Proxy(broker.port)
        await proxy.start()
        built = NetworkStage(proxy, broker, version)
        yield built
        await built.strike()
        await proxy.stop()

    return stage


@asynccontextmanager
async def embedded(make_mosquitto):
    broker = EmbeddedBroker(EmbeddedSettings(port=0, max_packet_size=LARGEST), logins=Anybody())
    await broker.start()
    broker._settings = replace(broker._settings, port=broker.port)
    proxy = Proxy(broker.port)
    await proxy.start()
    stage = EmbeddedStage(proxy, broker, Version.V311)
    yield stage
    await stage.strike()
    await proxy.stop()
    await broker.stop()


STAGES = {
    "memory": memory,
    "mosquitto-v5": _network(Version.V5),
    "mosquitto-v311": _network(Version.V311),
    "embedded": embedded,
}
