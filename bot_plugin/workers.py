"""Runs jobs: one worker per partition key, so that a key keeps its order and does not wait for another.

A worker ends when its key has nothing left. A plain function runs in a thread, at most one per key, and not more than
``threads`` in all: as many keys can be inside slow plain functions at once before others wait. A thread cannot be
killed: a plain function that overran its timeout is reported as failed and runs on, and its key waits for its end.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bot_plugin.lanes import Lanes
from bot_plugin.lifecycle import STOPPED, Job, Lifecycle, describe_error
from bot_plugin.registration import Mailbox
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin.workers")


class Workers:
    """The workers of all keys.

    Args:
        group: where they live; one that dies unexpectedly ends it.
        threads: plain functions that run at once, at most.
        backlog: jobs that one key may keep waiting; further ones are refused.
    """

    def __init__(self, lifecycle: Lifecycle, group: TaskGroup, *, threads: int, backlog: int) -> None:
        self._lifecycle, self._backlog = lifecycle, backlog
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="signal")
        self._places = asyncio.Semaphore(threads)
        self._lanes = Lanes(group, self._run, limit=backlog, name="bot_plugin.worker")

    def put(self, job: Job) -> str | None:
        """Let the worker of the job's key run it, behind what is there; or say why it is refused."""
        if self._lifecycle.stopped:
            return STOPPED
        if not self._lanes.put(job.signal.key, job):
            return f"{self._backlog} signals of {job.signal.key} wait already"
        return None

    async def idle(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when every worker has ended, or after the timeout (seconds)."""
        await self._lanes.idle(timeout=timeout)

    def close(self) -> None:
        """Cancel what runs, and let the threads end when their functions do."""
        self._lanes.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, job: Job) -> None:
        target = job.registration.target
        if isinstance(target, Mailbox):
            target.offer(job)
        elif job.registration.is_async:
            if await self._lifecycle.start(job):
                await self._call(job, target)
        else:
            await self._places.acquire()
            await self._run_in_thread(job, target)

    async def _call(self, job: Job, handler: Callable[..., Any]) -> None:
        registration = job.registration
        stage, reason = Stage.HANDLED, None
        try:
            async with asyncio.timeout(registration.timeout) as limit:
                await handler(job.signal)
        except BaseException as error:
            if _cancelled(error) or isinstance(error, KeyboardInterrupt):
                await self._interrupt(job)
                raise
            stage, reason = self._failure(job, error)
        if limit.expired():
            stage, reason = Stage.FAILED, f"timed out after {registration.timeout:g} s; the callback was cancelled"
        await self._lifecycle.finish(job, stage, reason)

    async def _run_in_thread(self, job: Job, handler: Callable[..., Any]) -> None:
        """Call with a place held, so that a thread is free at once and the expiry that was checked still holds."""
        try:
            started = await self._lifecycle.start(job)
        except BaseException:
            self._places.release()
            raise
        if not started:
            self._places.release()
            return
        running = self._loop.run_in_executor(self._pool, self._call_here, job, handler)
        running.add_done_callback(lambda _: self._places.release())
        try:
            await asyncio.wait({running}, timeout=job.registration.timeout)
            if not running.done():
                limit = f"timed out after {job.registration.timeout:g} s; a thread cannot be stopped and runs on"
                await self._lifecycle.finish(job, Stage.FAILED, limit)
            stage, reason = await running
        except asyncio.CancelledError:
            await self._interrupt(job)
            raise
        await self._lifecycle.finish(job, stage, reason)

    def _call_here(self, job: Job, handler: Callable[..., Any]) -> tuple[Stage, str | None]:
        """Call on the job's own thread, unless it ended or expired before that thread came to it."""
        late = self._lifecycle.late(job)
        if job.ended or late is not None:
            return (job.stage, None) if late is None else (late.stage, f"{late.reason}, while it waited for a thread")
        try:
            handler(job.signal)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the callback's
            return self._failure(job, error)
        return Stage.HANDLED, None

    async def _interrupt(self, job: Job) -> None:
        if not job.registration.rerun:
            await self._lifecycle.finish(job, Stage.INTERRUPTED, "the bot stopped while the callback ran")

    def _failure(self, job: Job, error: BaseException) -> tuple[Stage, str]:
        log.error("handler %s failed on signal %s", job.registration.name, job.signal.id, exc_info=error)
        return Stage.FAILED, describe_error(error)


def _cancelled(error: BaseException) -> bool:
    """Whether this is the worker's own end, not an error that the callback raised."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
