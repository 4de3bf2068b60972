"""PnL snapshots that the plugin asks a strategy for, in a rhythm of their own."""

from __future__ import annotations

import asyncio
import logging
from asyncio import AbstractEventLoop, TaskGroup
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

from bot_plugin.registration import is_async
from bot_plugin.telemetry.log_handler import OWN

log = logging.getLogger(OWN)

_THREADS = 4

Controllers = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Sample:
    """A function that says how the controllers do, and the seconds between its calls."""

    seconds: float
    function: Callable[[], Any]


class Samples:
    """The functions that are asked; more may come at any time, from any thread.

    Args:
        tell: takes what one answered.
    """

    def __init__(self, tell: Callable[[Controllers], None]) -> None:
        self._tell = tell
        self._lock = Lock()
        self._samples: list[Sample] = []
        self._running: tuple[AbstractEventLoop, TaskGroup] | None = None

    def add(self, sample: Sample) -> None:
        """Ask one more."""
        with self._lock:
            self._samples.append(sample)
            running = self._running
        if running is not None:
            loop, group = running
            with suppress(RuntimeError):  # the run has ended
                loop.call_soon_threadsafe(self._start, group, sample)

    async def run(self) -> None:
        """Ask, until cancelled."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="telemetry")
        try:
            async with TaskGroup() as group:
                await self._ask_all(group)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _ask_all(self, group: TaskGroup) -> None:
        with self._lock:
            self._running = asyncio.get_running_loop(), group
            samples = tuple(self._samples)
        try:
            for sample in samples:
                self._start(group, sample)
            await asyncio.Event().wait()
        finally:
            with self._lock:
                self._running = None

    def _start(self, group: TaskGroup, sample: Sample) -> None:
        if self._running is not None:
            group.create_task(self._ask(sample), name=f"{OWN}.performance")

    async def _ask(self, sample: Sample) -> None:
        while True:
            try:
                self._tell(await self._answer(sample))
            except BaseException as error:
                task = asyncio.current_task()
                if not isinstance(error, Exception | asyncio.CancelledError) or (task and task.cancelling()):
                    raise
                log.exception("%r did not say how the strategy does", sample.function)
            await asyncio.sleep(sample.seconds)

    async def _answer(self, sample: Sample) -> Any:
        if is_async(sample.function):
            return await sample.function()
        return await asyncio.get_running_loop().run_in_executor(self._pool, sample.function)
