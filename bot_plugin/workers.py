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
from bot_plugin.lifecycle import Job, Lifecycle
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin.workers")


class Workers:
    """The workers of all keys.

    Args:
        group: where they live; one that dies unexpectedly ends it.
        threads: plain functions that run at once, at most.
        backlog: jobs that one key may keep waiting; further ones are refused, with that reason.
    """

    def __init__(self, lifecycle: Lifecycle, group: TaskGroup, *, threads: int, backlog: int) -> None:
        self._lifecycle, self._backlog = lifecycle, backlog
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="signal")
        self._places = asyncio.Semaphore(threads)
        self._lanes = Lanes(group, self._run, limit=backlog, name="bot_plugin.worker")

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The threads of plain functions."""
        return self._pool

    async def put(self, job: Job) -> None:
        """Let the worker of the job's key run it, behind what is there."""
        if not self._lanes.put(job.signal.key, job):
            reason = f"{self._backlog} signals of {job.signal.key} wait already"
            await self._lifecycle.finish(job, Stage.REFUSED, reason)

    async def idle(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when every worker has ended, or after the timeout (seconds)."""
        await self._lanes.idle(timeout=timeout)

    def close(self) -> None:
        """Cancel what runs, and let the threads end when their functions do."""
        self._lanes.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, job: Job) -> None:
        if hasattr(job.registration.target, "offer"):
            job.registration.target.offer(job)
        elif job.registration.is_async:
            if await self._lifecycle.start(job):
                await self._call(job)
        else:
            await self._places.acquire()
            await self._run_in_thread(job)

    async def _call(self, job: Job) -> None:
        registration = job.registration
        stage, reason = Stage.HANDLED, None
        try:
            async with asyncio.timeout(registration.timeout) as limit:
                await registration.target(job.signal)  # type: ignore[operator]
        except BaseException as error:
            if _cancelled(error) or isinstance(error, KeyboardInterrupt):
                await self._interrupt(job)
                raise
            stage, reason = self._failure(job, error)
        if limit.expired():
            stage, reason = Stage.FAILED, f"timed out after {registration.timeout:g} s; the callback was cancelled"
        await self._lifecycle.finish(job, stage, reason)

    async def _run_in_thread(self, job: Job) -> None:
        """Call with a place held, so that a thread is free at once and the expiry that was checked still holds."""
        try:
            started = await self._lifecycle.start(job)
        except BaseException:
            self._places.release()
            raise
        if not started:
            self._places.release()
            return
        call: Callable[[Any], Any] = job.registration.target  # type: ignore[assignment]
        running = self._loop.run_in_executor(self._pool, _outcome, call, job.signal)
        running.add_done_callback(lambda _: self._places.release())
        try:
            await asyncio.wait({running}, timeout=job.registration.timeout)
            if not running.done():
                limit = f"timed out after {job.registration.timeout:g} s; a thread cannot be stopped and runs on"
                await self._lifecycle.finish(job, Stage.FAILED, limit)
            error = await running
        except asyncio.CancelledError:
            await self._interrupt(job)
            raise
        stage, reason = (Stage.HANDLED, None) if error is None else self._failure(job, error)
        await self._lifecycle.finish(job, stage, reason)

    async def _interrupt(self, job: Job) -> None:
        if not job.registration.rerun:
            await self._lifecycle.finish(job, Stage.INTERRUPTED, "the bot stopped while the callback ran")

    def _failure(self, job: Job, error: BaseException) -> tuple[Stage, str]:
        log.error("handler %s failed on signal %s", job.registration.name, job.signal.id, exc_info=error)
        return Stage.FAILED, describe_error(error)


def describe_error(error: BaseException) -> str:
    """``Type: message``, the first line of it."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _cancelled(error: BaseException) -> bool:
    """Whether this is the worker's own end, not an error that the callback raised."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _outcome(call: Callable[[Any], Any], argument: Any) -> BaseException | None:
    try:
        call(argument)
    except BaseException as error:  # noqa: BLE001
        return error
    return None
