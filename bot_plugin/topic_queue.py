"""A queue of raw messages, for strategies that look when they tick, in whichever thread or loop they run."""

from __future__ import annotations

import asyncio
import logging
from asyncio import AbstractEventLoop, Future
from collections import deque
from contextlib import suppress
from threading import Lock

from bot_plugin.errors import ListenerEnded

log = logging.getLogger("bot_plugin.raw")

_Waiter = tuple[AbstractEventLoop, Future[None]]


class TopicQueue:
    """A bounded queue of (topic, payload bytes), without receipts: past its size the oldest is dropped, and counted.

    Args:
        size: messages that may wait.
    """

    def __init__(self, *, size: int = 1_000) -> None:
        if size < 1:
            raise ValueError(f"a queue holds 1 message or more, not {size}")
        self._size = size
        self._lock = Lock()
        self._messages: deque[tuple[str, bytes]] = deque()
        self._waiters: list[_Waiter] = []
        self._ended: tuple[BaseException | None] | None = None
        self.dropped = 0
        """How many messages were dropped."""

    def __len__(self) -> int:
        return len(self._messages)

    async def __call__(self, topic: str, payload: bytes) -> None:
        """Take a message in; called by the listener."""
        with self._lock:
            self._messages.append((topic, payload))
            full = len(self._messages) > self._size
            if full:
                self._messages.popleft()
                self.dropped += 1
            self._wake()
        if full and self.dropped & (self.dropped - 1) == 0:  # 1, 2, 4, 8, ...
            log.warning("a queue of %d messages is full: %d were dropped by now", self._size, self.dropped)

    def get_nowait(self) -> tuple[str, bytes] | None:
        """The next message, or None; from any thread.

        Raises:
            ListenerEnded: the listener stopped, or what ended it is the cause.
        """
        with self._lock:
            if self._messages:
                return self._messages.popleft()
            if self._ended is not None:
                (cause,) = self._ended
                raise ListenerEnded(cause) from cause
            return None

    async def get(self) -> tuple[str, bytes]:
        """The next message; in any loop.

        Raises:
            ListenerEnded: as ``get_nowait`` does.
        """
        while (message := self.get_nowait()) is None:
            await self._something()
        return message

    def open(self) -> None:
        """A run begins; called by the listener."""
        with self._lock:
            self._ended = None

    def close(self, cause: BaseException | None) -> None:
        """The run ended: what is here may still be taken; None where it was stopped."""
        with self._lock:
            self._ended = (cause,)
            self._wake()

    async def _something(self) -> None:
        loop = asyncio.get_running_loop()
        waiter: _Waiter = (loop, loop.create_future())
        with self._lock:
            if self._messages or self._ended:
                return
            self._waiters.append(waiter)
        try:
            await waiter[1]
        finally:
            with self._lock, suppress(ValueError):  # it was woken
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        for loop, waiter in self._waiters:
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(_resolve, waiter)
        self._waiters.clear()


def _resolve(waiter: Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
