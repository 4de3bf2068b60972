"""One worker per key: items of a key in order and one at a time, keys side by side; an idle key costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import Task, TaskGroup
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """The workers of all keys.

    Args:
        group: where they live; one that dies unexpectedly ends it.
        run: what a worker does with an item.
        limit: items that one key may keep waiting.
        name: what the tasks are called.
    """

    def __init__(
        self, group: TaskGroup, run: Callable[[T], Coroutine[Any, Any, None]], *, limit: int, name: str
    ) -> None:
        self._group, self._run, self._limit, self._name = group, run, limit, name
        self._lanes: dict[str, deque[T]] = {}
        self._tasks: dict[str, Task[None]] = {}
        self._ended = asyncio.Event()

    def __len__(self) -> int:
        return len(self._lanes)

    def put(self, key: str, item: T) -> bool:
        """Let the worker of the key run the item, behind what is there; False where too much is."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = deque()
            self._tasks[key] = self._group.create_task(self._work(key, lane), name=f"{self._name}[{key[:80]}]")
        elif len(lane) >= self._limit:
            return False
        lane.append(item)
        return True

    async def idle(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when every worker has ended, or after the timeout (seconds)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._lanes:
                    self._ended.clear()
                    await self._ended.wait()

    def cancel(self) -> None:
        """Cancel every worker; what waits is left."""
        for task in self._tasks.values():
            task.cancel()

    async def _work(self, key: str, lane: deque[T]) -> None:
        try:
            while lane:
                await self._run(lane.popleft())
        finally:
            del self._lanes[key], self._tasks[key]
            self._ended.set()
