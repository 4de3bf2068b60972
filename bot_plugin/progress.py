"""Tells the stages of a signal that takes its time: what ends soon is told in its last receipt only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bot_plugin.job import Job
from schemas.receipt import Stage

PATIENCE = 0.05
"""Seconds after which ``received`` and ``started`` are sent; a handler that ends sooner tells them in its last one."""


class Progress:
    """Watches jobs, in the loop in which it was made.

    Args:
        send: sends the receipt of a job that is still at the stage at which it was watched.
    """

    def __init__(self, send: Callable[[Job], None]) -> None:
        self._send, self._loop = send, asyncio.get_running_loop()
        self._watched: list[tuple[float, Job, Stage]] = []
        self._watching = False

    def watch(self, job: Job) -> None:
        """Tell a job's stage, where it does not reach another soon."""
        self._watched.append((self._loop.time() + PATIENCE, job, job.stage))
        if not self._watching:
            self._watching = True
            self._loop.call_later(PATIENCE, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        due = 0
        for at, job, stage in self._watched:
            if at > now:
                break
            due += 1
            if job.stage is stage and not job.ended:
                with suppress(OSError):  # it has ended the run already
                    self._send(job)
        del self._watched[:due]
        self._watching = bool(self._watched)
        if self._watching:
            self._loop.call_at(self._watched[0][0], self._look)
