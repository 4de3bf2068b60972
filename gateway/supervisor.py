"""One task group for all that lives long; a worker that dies ends the process, and the next start is ordinary."""

from __future__ import annotations

import asyncio
import gc
import signal
from asyncio import Task
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_GC_THRESHOLD = (20_000, 20, 20)


def settle_memory() -> None:
    """Take what lives as long as the process out of the garbage collector's sight: it searched it for every signal."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)


async def supervise(
    workers: Mapping[str, Callable[[], Awaitable[Any]]], *, drain: Callable[[], Awaitable[None]]
) -> None:
    """Run the workers until SIGTERM or SIGINT, then drain and cancel them.

    Args:
        workers: coroutine functions that run until cancelled, by name.
        drain: finishes what was begun, bounded by itself.

    Raises:
        BaseExceptionGroup: a worker died; the others were cancelled.
    """
    with _told_to_stop() as told:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_for_ever(name, run), name=name) for name, run in workers.items()]
            await told.wait()
            await drain()
            _cancel(tasks)


async def _for_ever(name: str, run: Callable[[], Awaitable[Any]]) -> None:
    await run()
    raise RuntimeError(f"the worker {name} ended by itself")


def _cancel(tasks: list[Task[None]]) -> None:
    for task in tasks:
        task.cancel()


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
