"""An event loop in a thread of its own, for whoever has none."""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines in its loop, for callers of any thread.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str = "bot_plugin.client") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped."""
        return self._loop is not None

    def start(self) -> None:
        """Start the loop."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin a coroutine; the future is what it returns.

        Raises:
            RuntimeError: the loop has ended, or is another process's: a fork takes no thread along.
        """
        with self._lock:
            if self._loop is None or self._thread is None:
                work.close()
                raise RuntimeError("the client was closed")
            if not self._thread.is_alive():
                work.close()
                raise RuntimeError("the client belongs to the process that opened it: a forked one opens its own")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; it is cancelled where the wait for it is interrupted, as by Ctrl-C.

        Raises:
            RuntimeError: the loop has ended, or this is its own thread, which would wait for itself.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this is the client's own thread, as in a future's callback: it cannot wait here")
        running = self.begin(work)
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def stop(self) -> None:
        """End the loop and its thread; what still waits in it is cancelled."""
        with self._lock:  # what others had begun by then is cancelled below, and nothing is begun any more
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)
