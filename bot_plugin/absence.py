"""What waits for handlers that are not here: that were detached, or that an earlier process had and this one lacks."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from bot_plugin.dispatch import wants
from bot_plugin.job import Job
from bot_plugin.lifecycle import Lifecycle
from bot_plugin.registration import Registration
from bot_plugin.workers import Workers, current
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin.absence")

AWAITED = 86_400_000_000
"""Microseconds for which a handler that was given back is still waited for."""

UNTOLD = 60_000_000
"""Microseconds after which the gateway is told what a crash cut short, though the handler is not here to be told."""

GIVEN_BACK = "the handler was detached while the callback ran"

_STUBBORN = 2.0
"""Seconds that a callback has to end after it was cancelled."""

_MOST = 1_000


class Absence:
    """Lets what is for a handler wait while it is not here, and go on when it is.

    Args:
        registrations: the handlers that are here.
        backlog: signals that may wait for a handler that is not here; further ones are refused.
        monotonic: a clock that nobody sets, microseconds.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        workers: Workers,
        registrations: Sequence[Registration],
        *,
        backlog: int,
        monotonic: Callable[[], int],
    ) -> None:
        self._lifecycle, self._workers = lifecycle, workers
        self._backlog, self._monotonic = backlog, monotonic
        self._here, self._begun = tuple(registrations), monotonic()
        self._away: dict[str, tuple[int, Registration]] = {}
        self._untold: deque[Job] = deque(maxlen=_MOST)
        self.wanted = self._here
        """What handlers want that are here, or may be here again."""

    def change(self, registrations: Sequence[Registration]) -> list[Job]:
        """Take the handlers that are here now; the jobs that are still in those that were here before."""
        gone = [each for each in self._here if each not in registrations]
        came = [each for each in registrations if each not in self._here]
        self._here = tuple(registrations)
        busy = self._leave(gone)
        self._come({each.name: each for each in came})
        self._want()
        return busy

    async def released(self, jobs: Iterable[Job], *, grace: float) -> None:
        """Return when none of the jobs is in a handler any more; after ``grace`` seconds they are cut short.

        A job in whose callback this is asked is not waited for.
        """
        left = [job for job in jobs if job is not current()]
        await self._until(lambda: not self._busy(left), timeout=grace)
        left = self._busy(left)
        for job in left:
            self._cut(job)
        if not await self._until(lambda: not self._workers.called(left), timeout=_STUBBORN):
            for job in self._workers.called(left):
                log.error("%r was cancelled, and does not end: the callback goes on", job)

    def sweep(self) -> None:
        """Forget handlers that were away for long, and tell of what none came for; called about every second."""
        now = self._monotonic()
        self._away = {name: (at, each) for name, (at, each) in self._away.items() if now - at < AWAITED}
        if now - self._begun >= UNTOLD:
            for job in [job for job in self._lifecycle.open if job.cut is not None and not job.registration.is_here]:
                self._lifecycle.finish(job, Stage.INTERRUPTED, job.cut)
                self._untold.append(job)
        self._want()

    def _want(self) -> None:
        waiting = Counter(job.registration.name for job in self._lifecycle.open if not job.registration.is_here)
        away = (each for name, (_, each) in self._away.items() if waiting[name] < self._backlog)
        self.wanted = (*self._here, *away) if self._away else self._here

    def _leave(self, gone: Sequence[Registration]) -> list[Job]:
        for each in gone:
            self._away[each.name] = self._monotonic(), each.without_handler()
        of_them = [job for job in self._lifecycle.open if job.registration in gone]
        inside = self._workers.called(of_them)
        return [job for job in of_them if not self._wait(job) or job in inside]

    def _wait(self, job: Job) -> bool:
        """Let a job wait for its handler; False where it is in it already."""
        return self._lifecycle.hand(job, job.registration.without_handler())

    def _come(self, came: dict[str, Registration]) -> None:
        if not came:
            return
        for name in came:
            self._away.pop(name, None)
        waiting = [*self._untold, *self._lifecycle.open]
        back = [job for job in waiting if not job.registration.is_here and job.registration.name in came]
        for job in sorted(back, key=lambda job: job.signal.sequence):
            self._go_on(job, came[job.registration.name])
        self._untold = deque((job for job in self._untold if not job.registration.is_here), maxlen=_MOST)

    def _go_on(self, job: Job, registration: Registration) -> None:
        """Let a job go on in the handler that came for it."""
        asked = wants(registration, job.signal)
        if job.cut is not None and registration.rerun and asked and not self._lifecycle.late(job):
            self._lifecycle.repeatable(job)
        elif job.cut is None and not asked:
            reason = f"its handler {registration.name!r} was not there, and no longer asks for such a signal"
            self._end(job, Stage.REFUSED, reason)
            return
        self._lifecycle.hand(job, registration)
        refusal = self._workers.put(job) if job.passed else None
        if refusal is not None and self._lifecycle.stopped:
            self._lifecycle.turn_away(job)
        elif refusal is not None:
            self._end(job, Stage.REFUSED, refusal)

    def _busy(self, jobs: Iterable[Job]) -> list[Job]:
        started = [job for job in jobs if job.stage is Stage.STARTED and job.cut is None]
        return list(dict.fromkeys([*started, *self._workers.called(jobs)]))

    def _cut(self, job: Job) -> None:
        self._workers.cut(job)
        if job.cut is not None:
            return
        if not job.registration.rerun:
            self._end(job, Stage.INTERRUPTED, GIVEN_BACK)
            return
        self._lifecycle.repeatable(job)
        here = next((each for each in self._here if each.name == job.registration.name), None)
        if here is not None:
            self._go_on(job, here)
        else:
            self._wait(job)

    def _end(self, job: Job, stage: Stage, reason: str) -> None:
        with suppress(OSError):  # it has ended the run already, and whoever attaches or detaches cannot mend it
            self._lifecycle.finish(job, stage, reason)

    async def _until(self, condition: Callable[[], bool], *, timeout: float) -> bool:  # noqa: ASYNC109
        deadline = asyncio.get_running_loop().time() + timeout
        while not (held := condition()) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return held
