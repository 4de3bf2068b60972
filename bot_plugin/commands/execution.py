"""Runs one handler: within its time, whatever it raises, without ever waiting for one that does not end."""

from __future__ import annotations

import asyncio
import inspect
import logging
from asyncio import Future, Task
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

from bot_plugin.commands.outcome import Outcome
from bot_plugin.registration import is_async

log = logging.getLogger("bot_plugin.commands")

_TO_END = 0.25
"""Seconds that a cancelled coroutine has to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a call ended.

    Args:
        outcome: done, failed, timed out or interrupted.
        result: what it returned, where it is done.
        error: what it raised, where it failed.
        reason: what became of it, where it was given up.
        left: what goes on all the same.
    """

    outcome: Outcome
    result: Any = None
    error: BaseException | None = None
    reason: str = ""
    left: Task[Ended] | Thread | None = None


async def execute(
    function: Callable[[Any], Any], argument: Any, *, limit: float, cut: Future[None], name: str
) -> Ended:
    """Call a handler: a coroutine function here, another one in a thread of its own.

    Args:
        function: the handler.
        argument: what it is called with.
        limit: seconds; a coroutine is cancelled then, and a thread goes on.
        cut: done where it is to be given up sooner, as the bot stops.
        name: of the command.
    """
    work = _Work(function, argument, name)
    task = asyncio.create_task(work.run(), name=f"bot_plugin.command[{name}]")
    either: set[Future[Any]] = {task, cut}
    await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task}, timeout=_TO_END)
    left = work.left or (None if task.done() else task)
    if isinstance(left, Task):
        left.add_done_callback(_say_ended)
    cause = "the bot stopped while it ran" if cut.done() else f"it took longer than {limit:g} s"
    goes_on = "was cancelled" if left is None else "cannot be stopped and goes on"
    return Ended(
        outcome=Outcome.INTERRUPTED if cut.done() else Outcome.TIMED_OUT,
        reason=f"{cause}: {name} {goes_on}; what it has done by then is not known",
        left=left,
    )


class _Work:
    """One call, and its thread where it has one."""

    def __init__(self, function: Callable[[Any], Any], argument: Any, name: str) -> None:
        self._function, self._argument, self._name = function, argument, name
        self._thread: Thread | None = None

    @property
    def left(self) -> Thread | None:
        """The thread that still runs."""
        return self._thread if self._thread is not None and self._thread.is_alive() else None

    async def run(self) -> Ended:
        try:
            if is_async(self._function):
                result = await self._function(self._argument)
            else:
                result, raised = await self._in_thread()
                if raised is not None:
                    return Ended(outcome=Outcome.FAILED, error=raised)
                if inspect.isawaitable(result):
                    result = await result
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            return Ended(outcome=Outcome.FAILED, error=error)
        return Ended(outcome=Outcome.DONE, result=result)

    async def _in_thread(self) -> tuple[Any, BaseException | None]:
        """Call in a thread that the end of the process does not wait for, as it would for a pool's."""
        loop = asyncio.get_running_loop()
        told: Future[tuple[Any, BaseException | None]] = loop.create_future()

        def tell(result: Any, error: BaseException | None) -> None:
            if not told.done():
                told.set_result((result, error))

        def call() -> None:
            outcome: tuple[Any, BaseException | None] = None, None
            try:
                outcome = self._function(self._argument), None
            except BaseException as error:  # noqa: BLE001  # whatever it is, it is the handler's
                outcome = None, error
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, *outcome)

        self._thread = Thread(target=call, name=f"command {self._name}", daemon=True)
        self._thread.start()
        return await told


def _say_ended(task: Task[Ended]) -> None:
    if not task.cancelled() and task.exception() is None:
        log.warning("%s, which was given up, has ended: %s", task.get_name(), task.result().outcome)
