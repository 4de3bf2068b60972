"""Runs jobs: one worker per partition key, so that a key keeps its order and does not wait for another.

A worker ends when its key has nothing left. A plain function runs in a thread, at most one per key, and not more than
``threads`` in all: as many keys can be inside slow plain functions at once before others wait. A thread cannot be
killed: a plain function that overran its timeout is reported as failed and runs on, and its key waits for its end.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from bot_plugin.job import Job
from bot_plugin.lanes import Lanes
from bot_plugin.lifecycle import STOPPED, Lifecycle
from bot_plugin.registration import Mailbox, Registration, is_async
from bot_plugin.signal import Signal
from bot_plugin.turns import Turns
from bot_plugin.wording import describe_error
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin.workers")

_CURRENT: ContextVar[Job | None] = ContextVar("bot_plugin.job", default=None)


def current() -> Job | None:
    """The job in whose callback this is asked, also in what that began on the loop."""
    return _CURRENT.get()


class Workers:
    """The workers of all keys.

    Args:
        group: where they live; one that dies unexpectedly ends it.
        turns: keeps them apart from what is told of predictions.
        threads: plain functions that run at once, at most.
        backlog: jobs that one key may keep waiting; further ones are refused.
        on_interrupted: by handler, what is called with a signal that a crash cut short.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        group: TaskGroup,
        turns: Turns,
        *,
        threads: int,
        backlog: int,
        on_interrupted: Callable[[str], Sequence[Callable[[Signal], Any]]],
    ) -> None:
        self._lifecycle, self._turns = lifecycle, turns
        self._backlog, self._on_interrupted = backlog, on_interrupted
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="signal")
        self._places = asyncio.Semaphore(threads)
        self._inside: dict[Job, asyncio.Timeout] = {}
        self._cut: set[Job] = set()
        self._lanes = Lanes(group, self._run, limit=backlog, name="bot_plugin.worker")

    def put(self, job: Job) -> str | None:
        """Let the worker of the job's key run it, behind what is there; or say why it is refused."""
        if self._lifecycle.stopped:
            return STOPPED
        if not job.registration.is_here:
            job.passed = True
            return None
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

    def called(self, jobs: Iterable[Job]) -> list[Job]:
        """Those of the jobs whose coroutines run now."""
        return [job for job in jobs if job in self._inside]

    def cut(self, job: Job) -> None:
        """Cancel the coroutine of a job, where one runs, and say nothing of it: whoever cuts it does."""
        limit = self._inside.get(job)
        if limit is not None and job not in self._cut:
            self._cut.add(job)
            with suppress(RuntimeError):  # it timed out, and is being cancelled already
                limit.reschedule(self._loop.time())

    async def _run(self, job: Job) -> None:
        async with self._turns.signal(job.signal):
            await self._run_in_turn(job)

    async def _run_in_turn(self, job: Job) -> None:
        job.passed, registration = True, job.registration
        target = registration.target
        if job.cut is not None:
            await self._report(job)
        elif job.ended or not registration.is_here:
            return
        elif isinstance(target, Mailbox):
            target.offer(job)
        elif registration.is_async:
            if await self._lifecycle.start(job, registration):
                await self._call(job, target)
        else:
            await self._places.acquire()
            await self._run_in_thread(job, registration, target)

    async def _call(self, job: Job, handler: Callable[..., Any]) -> None:
        registration = job.registration
        stage, reason = Stage.HANDLED, None
        try:
            async with asyncio.timeout(registration.timeout) as limit:
                with self._within(job, limit):
                    await handler(job.signal)
        except BaseException as error:
            if _cancelled(error) or isinstance(error, KeyboardInterrupt):
                self._interrupt(job)
                raise
            if job not in self._cut:
                stage, reason = self._failure(job, error)
        if job in self._cut:
            self._cut.discard(job)
            return
        if limit.expired():
            stage, reason = Stage.FAILED, f"timed out after {registration.timeout:g} s; the callback was cancelled"
        self._lifecycle.finish(job, stage, reason)

    @contextmanager
    def _within(self, job: Job, limit: asyncio.Timeout) -> Iterator[None]:
        """A coroutine of a job runs, until it ends or ``cut`` makes the limit now."""
        token, self._inside[job] = _CURRENT.set(job), limit
        try:
            yield
        finally:
            del self._inside[job]
            _CURRENT.reset(token)

    async def _run_in_thread(self, job: Job, registration: Registration, handler: Callable[..., Any]) -> None:
        """Call with a place held, so that a thread is free at once and the expiry that was checked still holds."""
        try:
            started = await self._lifecycle.start(job, registration)
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
                self._lifecycle.finish(job, Stage.FAILED, limit)
            stage, reason = await running
        except asyncio.CancelledError:
            self._interrupt(job)
            raise
        self._lifecycle.finish(job, stage, reason)

    def _call_here(self, job: Job, handler: Callable[..., Any]) -> tuple[Stage, str | None]:
        """Call on the job's own thread, unless it ended or expired before that thread came to it."""
        late = self._lifecycle.late(job)
        if job.ended or late is not None:
            return (job.stage, None) if late is None else (late.stage, f"{late.reason}, while it waited for a thread")
        token = _CURRENT.set(job)
        try:
            handler(job.signal)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the callback's
            return self._failure(job, error)
        finally:
            _CURRENT.reset(token)
        return Stage.HANDLED, None

    async def _report(self, job: Job) -> None:
        """Tell the strategy of a run that a crash cut short, then the inbox: a crash in between tells it again.

        What was told so is told once, however often its handler goes and comes.
        """
        if self._lifecycle.stopped or not job.registration.is_here:
            return
        log.warning("handler %s on signal %s: %s", job.registration.name, job.signal.id, job.cut)
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                with self._within(job, limit):
                    await self._tell_all(job)
        if job in self._cut:
            self._cut.discard(job)
        else:
            self._lifecycle.finish(job, Stage.INTERRUPTED, job.cut)
            job.cut = None

    async def _tell_all(self, job: Job) -> None:
        for callback in self._on_interrupted(job.registration.name):
            try:
                await self._tell(callback, job.signal)
            except BaseException as error:
                if _cancelled(error) or isinstance(error, KeyboardInterrupt):
                    raise
                log.exception("on_interrupted failed on signal %s", job.signal.id)

    async def _tell(self, callback: Callable[[Signal], Any], signal: Signal) -> None:
        if is_async(callback):
            await callback(signal)
        else:
            async with self._places:
                await self._loop.run_in_executor(self._pool, callback, signal)

    def _interrupt(self, job: Job) -> None:
        if not job.may_be_repeated:
            self._lifecycle.finish(job, Stage.INTERRUPTED, "the bot stopped while the callback ran")

    def _failure(self, job: Job, error: BaseException) -> tuple[Stage, str]:
        log.error("handler %s failed on signal %s", job.registration.name, job.signal.id, exc_info=error)
        return Stage.FAILED, describe_error(error)


def _cancelled(error: BaseException) -> bool:
    """Whether this is the worker's own end, not an error that the callback raised."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
