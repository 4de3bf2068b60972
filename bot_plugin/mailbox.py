"""Queues, and the latest signal, for strategies that look when they tick, in whichever thread or loop they run."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, fields
from threading import Lock
from types import TracebackType
from typing import Any, Self

from bot_plugin.errors import ListenerEnded
from bot_plugin.job import Job
from bot_plugin.registration import Desk, Mailbox
from bot_plugin.signal import Signal
from bot_plugin.wording import describe_error
from schemas.receipt import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedSignal(Signal):
    """A signal that a strategy took out of a queue; it says itself what came of it, once.

    It is also a context manager: handled when the block ends, failed when it raises.
    """

    settle: Callable[[Stage, str | None], Awaitable[None]] = field(repr=False, compare=False)

    def done(self) -> None:
        """Say that it was acted on."""
        self.settle(Stage.HANDLED, None)

    def failed(self, reason: str) -> None:
        """Say that it could not be acted on, and why."""
        self.settle(Stage.FAILED, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self.settle(*_outcome(error))


_NAMES = tuple(part.name for part in fields(Signal))


class _Box(Mailbox):
    """What the mailboxes share: the desk of the run, and how it ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._desk: Desk | None = None
        self._ended: tuple[BaseException | None] | None = None

    def open(self, desk: Desk) -> None:
        """A run begins."""
        with self._lock:
            self._desk, self._ended = desk, None

    def close(self, cause: BaseException | None) -> None:
        """The run ended."""
        with self._lock:
            self._desk, self._ended = None, (cause,)
            self._empty()

    @abstractmethod
    def _empty(self) -> None:
        """Hold nothing, and wake whoever waits."""

    def _check(self) -> None:
        if self._ended is not None:
            (cause,) = self._ended
            raise ListenerEnded(cause) from cause


class SignalQueue(_Box):
    """A bounded queue of signals: a handler that the strategy empties.

    Args:
        size: signals that may wait; a further one is refused, and its receipt says so.
    """

    def __init__(self, *, size: int) -> None:
        if size < 1:
            raise ValueError(f"a queue holds 1 signal or more, not {size}")
        super().__init__()
        self._size = size
        self._jobs: deque[Job] = deque()
        self._waiters: deque[tuple[AbstractEventLoop, Future[None]]] = deque()

    def __len__(self) -> int:
        with self._lock:
            return sum(not job.ended for job in self._jobs)

    def offer(self, job: Job) -> None:
        """Take a job in; called by the listener."""
        desk = self._desk
        assert desk is not None
        with self._lock:
            while self._jobs and self._jobs[0].ended:
                self._jobs.popleft()
            full = len(self._jobs) >= self._size and sum(not other.ended for other in self._jobs) >= self._size
            if not full:
                self._jobs.append(job)
                self._wake()
        if full:
            desk.settle(job, Stage.REFUSED, f"queue full: {self._size} signals wait")

    def get_nowait(self) -> QueuedSignal | None:
        """The next signal that is still true, or None; from any thread.

        Raises:
            ListenerEnded: the listener stopped, or what ended it is the cause.
        """
        while True:
            with self._lock:
                self._check()
                desk = self._desk
                if desk is None or not self._jobs:
                    return None
                job = self._jobs.popleft()
            if desk.take(job):
                return _queued(desk, job)

    def get(self) -> Getting:
        """The next signal: ``async with queue.get() as signal``, or ``signal = await queue.get()`` and say done.

        Raises:
            ListenerEnded: when awaited, as ``get_nowait`` does.
        """
        return Getting(self._next)

    async def _next(self) -> QueuedSignal:
        while True:
            signal = self.get_nowait()
            if signal is not None:
                return signal
            await self._something()

    async def _something(self) -> None:
        loop = asyncio.get_running_loop()
        waiter: Future[None] = loop.create_future()
        with self._lock:
            if self._jobs or self._ended:
                return
            self._waiters.append((loop, waiter))
        try:
            await waiter
        except asyncio.CancelledError:
            with self._lock:
                if (loop, waiter) in self._waiters:
                    self._waiters.remove((loop, waiter))
                elif self._jobs:
                    self._wake()
            raise

    def _wake(self) -> None:
        while self._waiters:
            loop, waiter = self._waiters.popleft()
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_resolve, waiter)
                return

    def _empty(self) -> None:
        self._jobs.clear()
        while self._waiters:
            self._wake()


class Getting:
    """A signal that is being waited for."""

    def __init__(self, take: Callable[[], Awaitable[QueuedSignal]]) -> None:
        self._take = take
        self._signal: QueuedSignal | None = None

    def __await__(self) -> Generator[Any, None, QueuedSignal]:
        return self._take().__await__()

    async def __aenter__(self) -> QueuedSignal:
        self._signal = await self._take()
        return self._signal

    async def __aexit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._signal is not None
        await self._signal.settle(*_outcome(error))


class Latest(_Box):
    """The latest signal that is still true: what a strategy looks at on each tick.

    Looking is acting: a signal is *handled* when ``get`` first returns it, and stays there until it expires or a newer
    one comes. One that a newer one replaced before anybody looked is *refused*, with that reason.
    """

    def __init__(self) -> None:
        super().__init__()
        self._job: Job | None = None

    def offer(self, job: Job) -> None:
        """Take a job in; called by the listener."""
        desk = self._desk
        assert desk is not None
        with self._lock:
            held = self._job
            older = held is not None and job.signal.sequence < held.signal.sequence
            if not older:
                self._job = job
        if held is not None and older:
            desk.settle(job, Stage.OUT_OF_ORDER, f"the newer signal {held.signal.id} is there already")
        elif held is not None and held.stage is Stage.RECEIVED:
            desk.settle(held, Stage.REFUSED, f"replaced by {job.signal.id} before anybody looked")

    def get(self) -> Signal | None:
        """The signal in force, or None; from any thread.

        Raises:
            ListenerEnded: the listener stopped, or what ended it is the cause.
        """
        with self._lock:
            self._check()
            job, desk = self._job, self._desk
            if job is None or desk is None or job.signal.remaining <= 0:
                return None
            first = desk.take(job)
        if first:
            desk.settle(job, Stage.HANDLED, None)
        return job.signal if job.stage in {Stage.STARTED, Stage.HANDLED} else None

    def _empty(self) -> None:
        self._job = None


def _queued(desk: Desk, job: Job) -> QueuedSignal:
    values = {name: getattr(job.signal, name) for name in _NAMES}
    return QueuedSignal(**values, settle=lambda stage, reason: desk.settle(job, stage, reason))


def _outcome(error: BaseException | None) -> tuple[Stage, str | None]:
    if error is None:
        return Stage.HANDLED, None
    if isinstance(error, asyncio.CancelledError):
        return Stage.INTERRUPTED, "the strategy was cancelled while it acted"
    return Stage.FAILED, describe_error(error)


def _resolve(waiter: Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
