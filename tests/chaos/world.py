"""What is broken in a run: a gateway, a broker, two bots, the ways between them, and their disks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from subprocess import Popen

from tests.brokers import Proxy
from tests.chaos.alerts import BOTS, sources
from tests.chaos.disk import Disk
from tests.chaos.schedule import Targets
from tests.chaos.watched import Watched
from tests.e2e.deployment import Bot, Deployment, until

GATEWAY, BROKER = "gateway", "broker"

_RECORDING_BOT = Path(__file__).with_name("recording_bot.py")
_DISK = 8 << 30


class World:
    """One deployment, ready to be broken.

    Args:
        folder: for everything.
        external: a Mosquitto with the persistence of Debian's configuration; else the embedded broker.
    """

    def __init__(self, folder: Path, *, external: bool) -> None:
        self.folder = folder
        self._external = external
        self.disks = {name: Disk(folder / f"disk-{name}", size=_DISK) for name in (GATEWAY, *BOTS)}
        journal = {"path": f"{self.disks[GATEWAY].folder}/journal.db", "max_size": "6GiB"}
        self.deployment = Deployment(
            folder,
            sources=sources(),
            external=external,
            settings={"journal": journal},
            mosquitto={"persistent": True, "log": ("error", "warning", "notice")},
            bot=_RECORDING_BOT,
        )
        clients = (GATEWAY, *BOTS) if external else BOTS
        self.links = {name: Proxy(self.deployment.broker_port) for name in clients}
        self.watched = {GATEWAY: Watched(GATEWAY, self._spawn_gateway)}
        if self.deployment.mosquitto is not None:
            self.watched[BROKER] = Watched(BROKER, self.deployment.mosquitto.spawn)
        self.watched |= {bot: Watched(bot, partial(self._spawn_bot, bot)) for bot in BOTS}
        self._bots: dict[str, Bot] = {}

    @property
    def targets(self) -> Targets:
        """What there is to break; a disk only where one could be mounted."""
        return Targets(
            servers=tuple(name for name in (GATEWAY, BROKER) if name in self.watched),
            bots=BOTS,
            links=tuple(self.links),
            disks=tuple(name for name, disk in self.disks.items() if disk.mounted),
        )

    def records(self) -> Iterator[tuple[str, Path]]:
        """Each bot and the file of what it did."""
        return ((bot, self.folder / f"{bot}.jsonl") for bot in BOTS)

    def memory(self) -> dict[str, tuple[int, float] | None]:
        """The process id and memory (MB) of the gateway and the bots; None for one that is away."""
        return {name: self.watched[name].memory for name in (GATEWAY, *BOTS)}

    async def start(self) -> None:
        """Start everything, and return when both bots listen and the gateway has its broker."""
        for disk in self.disks.values():
            await asyncio.to_thread(disk.mount)
        for link in self.links.values():
            await link.start()
        if BROKER in self.watched:
            self.watched[BROKER].start()
        self.watched[GATEWAY].start()
        await asyncio.to_thread(until, self.deployment.ready)
        for bot in BOTS:
            await asyncio.to_thread(self.deployment.add_bot, bot)
            self.watched[bot].start()
            await asyncio.to_thread(until, self._bots[bot].listening)

    def _spawn_gateway(self) -> Popen[bytes]:
        link = self.links.get(GATEWAY)
        way = {} if link is None else {"SIGNAL_GATEWAY_BROKER__PORT": str(link.port)}
        return self.deployment.spawn_gateway(**way)

    def _spawn_bot(self, name: str) -> Popen[bytes]:
        self._bots[name] = self.deployment.spawn_bot(
            name,
            SIGNAL_GATEWAY_MQTT_PORT=str(self.links[name].port),
            SIGNAL_GATEWAY_STATE_DIR=str(self.disks[name].folder / "state"),
        )
        return self._bots[name].process

    async def close(self) -> None:
        """End everything; what the disks hold stays in their folders."""
        for watched in self.watched.values():
            watched.resume()
        await asyncio.to_thread(self.deployment.close)
        for link in self.links.values():
            await link.stop()
        for disk in self.disks.values():
            await asyncio.to_thread(disk.unmount)
