"""Calls a strategy when nothing is in force: in its turn, with grace when its handlers go or the bot stops."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Task, TaskGroup
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass

from bot_plugin.in_force import Stale, Watch
from bot_plugin.registration import is_async
from bot_plugin.turns import Turn, Turns

log = logging.getLogger("bot_plugin.predictions")

Still = Callable[[], Stale | None]
"""What a strategy is to be told when its turn comes; None where something is in force again."""

_STUBBORN = 2.0
"""Seconds that a callback has to end after it was cancelled."""


@dataclass(slots=True, eq=False)
class StaleCall:
    """One call, waiting for its turn or begun."""

    watch: Watch
    task: Task[None] | None = None
    begun: bool = False


_CURRENT: ContextVar[StaleCall | None] = ContextVar("bot_plugin.stale", default=None)


class StaleCalls:
    """The calls; their threads are their own, so that going flat waits for no other instrument's callback.

    Args:
        group: where they live.
        threads: plain functions that run at once, at most.
    """

    def __init__(self, group: TaskGroup, turns: Turns, *, threads: int) -> None:
        self._group, self._turns = group, turns
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="stale")
        self._calls: dict[StaleCall, None] = {}
        self._stopped = False

    def put(self, watch: Watch, turn: Turn, still: Still) -> None:
        """Call when the turn comes, unless something is in force then."""
        if self._stopped:
            return
        call = StaleCall(watch)
        self._calls[call] = None
        call.task = self._group.create_task(self._run(call, turn, still), name="bot_plugin.stale")
        call.task.add_done_callback(lambda _: self._calls.pop(call))

    def change(self, watches: Collection[Watch]) -> list[StaleCall]:
        """Drop what waits for watches that went; the calls that still run in those."""
        gone = [call for call in self._calls if call.watch not in watches]
        self._drop(gone)
        return [call for call in gone if call.begun]

    async def released(self, calls: Iterable[StaleCall], *, grace: float) -> None:
        """Return when the calls have ended, but for one in which this is asked; they have ``grace`` seconds for it."""
        own = _CURRENT.get()
        left = [call for call in calls if call is not own]
        await self._ended(left, timeout=grace)
        for call in self._left(left):
            if is_async(call.watch.callback) and call.task is not None:
                call.task.cancel()
                log.warning("%s was detached, and cut short", call.watch.wanted.name)
            else:
                log.error("%s was detached, and runs on: a thread cannot be stopped", call.watch.wanted.name)
        await self._ended([call for call in left if is_async(call.watch.callback)], timeout=_STUBBORN)

    def stop(self) -> None:
        """Start nothing from now on."""
        self._stopped = True
        self._drop(self._calls)

    async def idle(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when every call has ended, or after the timeout (seconds)."""
        await self._ended(self._calls, timeout=timeout)

    def close(self) -> None:
        """Cancel what runs, and let the threads end when their functions do."""
        self.stop()
        for call in self._calls:
            if call.task is not None:
                call.task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _drop(self, calls: Iterable[StaleCall]) -> None:
        for call in calls:
            if not call.begun and call.task is not None:
                call.task.cancel()

    def _left(self, calls: Iterable[StaleCall]) -> list[StaleCall]:
        return [call for call in calls if call in self._calls]

    async def _ended(self, calls: Iterable[StaleCall], *, timeout: float) -> None:  # noqa: ASYNC109
        tasks = {call.task for call in self._left(calls) if call.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    async def _run(self, call: StaleCall, turn: Turn, still: Still) -> None:
        async with self._turns.stale(turn):
            if (stale := still()) is None:
                return
            call.begun = True
            _CURRENT.set(call)
            try:
                await self._call(call.watch, stale)
            except BaseException:
                if call.task is not None and call.task.cancelling():
                    raise
                log.exception("%s failed", call.watch.wanted.name)

    async def _call(self, watch: Watch, stale: Stale) -> None:
        log.warning("predictions of %s for %s: %s", stale.source, stale.pair or "every pair", stale.reason)
        limit = watch.wanted.timeout
        if is_async(watch.callback):
            async with asyncio.timeout(limit):
                await watch.callback(stale)
            return
        running = asyncio.get_running_loop().run_in_executor(self._pool, watch.callback, stale)
        await asyncio.wait({running}, timeout=limit)
        if not running.done():
            log.error("%s timed out after %g s; a thread cannot be stopped and runs on", watch.wanted.name, limit)
        await running
