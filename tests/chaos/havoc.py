"""Carries out a schedule of faults, and starts again what ends by itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from tests.chaos.schedule import Fault, Kind
from tests.chaos.world import World

_LOOK = 0.2
_RESTART = 1.0
"""Seconds until a process that ended by itself is started again, as a service manager does."""


class Havoc:
    """The faults of one run, on one world.

    Args:
        events: gets a JSON line as each fault begins and ends.

    ``pauses`` says of each process when it was stopped, from and to, in microseconds since the epoch; ``over`` is set
    when the last fault has ended.
    """

    def __init__(self, world: World, *, events: TextIO) -> None:
        self._world = world
        self._events = events
        self._absent: set[str] = set()
        self.over = asyncio.Event()
        self.pauses: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)

    async def wreak(self, faults: Iterable[Fault]) -> None:
        """Let every fault happen at its time."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                group.create_task(self._happen(fault, began=began))
        self.over.set()

    async def watch(self) -> None:
        """Start again what ends by itself, until cancelled."""
        while True:
            for name, watched in self._world.watched.items():
                if name not in self._absent and (code := watched.ended()) is not None:
                    self._note("exit", target=name, code=code)
                    await asyncio.sleep(_RESTART)
                    if name not in self._absent:
                        watched.start()
            await asyncio.sleep(_LOOK)

    async def _happen(self, fault: Fault, *, began: float) -> None:
        await asyncio.sleep(began + fault.at - time.monotonic())
        begin, end = self._act(fault)
        self._note(fault.kind, target=fault.target, lasts=fault.lasts)
        since = time.time_ns() // 1000
        begin()
        await asyncio.sleep(fault.lasts)
        end()
        self._note(f"{fault.kind} ends", target=fault.target)
        if fault.kind is Kind.PAUSE:
            self.pauses[fault.target].append((since, time.time_ns() // 1000))

    def _act(self, fault: Fault) -> tuple[Callable[[], Any], Callable[[], Any]]:
        world, name = self._world, fault.target
        match fault.kind:
            case Kind.KILL:
                return lambda: self._leave(name), lambda: self._return(name)
            case Kind.PAUSE:
                return world.watched[name].pause, world.watched[name].resume
            case Kind.RESET:
                return world.links[name].cut, world.links[name].restore
            case Kind.STALL:
                return world.links[name].stall, world.links[name].restore
            case Kind.BLACKHOLE:
                return world.links[name].stall, world.links[name].reset
            case Kind.FULL:
                return world.disks[name].fill, world.disks[name].free

    def _leave(self, name: str) -> None:
        self._absent.add(name)
        self._world.watched[name].kill()

    def _return(self, name: str) -> None:
        self._world.watched[name].start()
        self._absent.discard(name)

    def _note(self, event: str, **more: Any) -> None:
        self._events.write(json.dumps({"at": time.time(), "event": event} | more) + "\n")
