"""Where mailboxes say, from whichever thread, that a strategy took a signal and what came of it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from asyncio import TaskGroup
from collections.abc import Awaitable, Generator
from threading import get_ident
from typing import Any

from bot_plugin.job import Job
from bot_plugin.lifecycle import Lifecycle
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin.desk")


class LoopDesk:
    """The Desk of one run: what other threads say is done in the listener's loop."""

    def __init__(self, lifecycle: Lifecycle, group: TaskGroup) -> None:
        self._lifecycle, self._group = lifecycle, group
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()

    def take(self, job: Job) -> bool:
        """Mark a job as started; False where it ended or is too late."""
        return self._lifecycle.start_now(job)

    def settle(self, job: Job, stage: Stage, reason: str | None) -> Awaitable[None]:
        """End a job; it happens at once also where nobody awaits it."""
        done: concurrent.futures.Future[None] = concurrent.futures.Future()

        def begin() -> None:
            finishing = self._finish(job, stage, reason)
            try:
                task = self._group.create_task(finishing, name="bot_plugin.settle")
            except RuntimeError:
                finishing.close()
                _too_late(job, stage, done)
            else:
                task.add_done_callback(lambda _: done.set_result(None))

        try:
            begin() if get_ident() == self._thread else self._loop.call_soon_threadsafe(begin)
        except RuntimeError:
            _too_late(job, stage, done)
        return _Elsewhere(done)

    async def _finish(self, job: Job, stage: Stage, reason: str | None) -> None:
        self._lifecycle.finish(job, stage, reason)


class _Elsewhere:
    """The end of something, to be awaited in any loop, or not at all."""

    def __init__(self, done: concurrent.futures.Future[None]) -> None:
        self._done = done

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.wrap_future(self._done).__await__()


def _too_late(job: Job, stage: Stage, done: concurrent.futures.Future[None]) -> None:
    log.error("%r ended as %s, but the listener has stopped: nobody is told", job, stage)
    done.set_result(None)
