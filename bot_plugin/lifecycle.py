"""A signal's life in one handler: every step is in the inbox first, and in a receipt after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from threading import Lock, get_ident

from bot_plugin.dispatch import Verdict, expiry
from bot_plugin.inbox import KEEP_AFTER_EXPIRY, Inbox
from bot_plugin.receipts import Receipts
from bot_plugin.registration import Registration
from bot_plugin.signal import Signal
from schemas.alert import Withdrawal
from schemas.fields import from_micros, to_micros
from schemas.receipt import Receipt, Stage

PATIENCE = 0.05
"""Seconds after which ``received`` and ``started`` are sent; a handler that ends sooner tells them in its last one."""

MAX_REASON = 500


class Job:
    """One signal on its way through one handler. ``stage`` is the last one reached."""

    __slots__ = ("expires_at", "registration", "signal", "stage", "started_at")

    def __init__(self, signal: Signal, registration: Registration) -> None:
        self.signal, self.registration = signal, registration
        self.expires_at = to_micros(signal.expires_at)
        self.stage = Stage.RECEIVED
        self.started_at: int | None = None

    def __repr__(self) -> str:
        return f"Job({self.signal.id} in {self.registration.name}, {self.stage})"

    @property
    def ended(self) -> bool:
        """Whether its final stage is reached."""
        return self.stage.final


class Lifecycle:
    """Moves jobs through their stages; a stage is reached once, whoever comes first."""

    def __init__(self, *, bot: str, inbox: Inbox, receipts: Receipts, now: Callable[[], int]) -> None:
        self._bot, self._inbox, self._receipts, self._now = bot, inbox, receipts, now
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        self._lock = Lock()
        self._jobs: dict[str, list[Job]] = {}
        self._watched: list[tuple[float, Job, Stage]] = []
        self._watching = False

    def received(self, signal: Signal, registrations: Iterable[Registration]) -> list[Job]:
        """Open a job for each handler."""
        jobs = self._jobs[signal.id] = [Job(signal, registration) for registration in registrations]
        for job in jobs:
            self._watch(job)
        return jobs

    async def refuse(self, signal: str, verdict: Verdict, *, received_at: int) -> None:
        """End a signal that no handler will see."""
        await self._end(
            Receipt(
                signal=signal,
                bot=self._bot,
                stage=verdict.stage,
                reason=verdict.reason[:MAX_REASON],
                at=from_micros(self._now()),
                received_at=from_micros(received_at),
            )
        )

    async def start(self, job: Job) -> bool:
        """Take the last step before the call; False where the job has ended, or ends now as it is too late."""
        if not await self._in_time(job):
            return False
        await self._inbox.start(job.signal.id, job.registration.name, at=self._now())
        return await self._in_time(job) and self._started(job)

    def start_now(self, job: Job) -> bool:
        """As ``start``, for a strategy that looks, on any thread; leaves an end to the sweep."""
        if job.stage is not Stage.RECEIVED or self._now() >= job.expires_at:
            return False
        self._inbox.start_now(job.signal.id, job.registration.name, at=self._now())
        return self._started(job)

    async def finish(self, job: Job, stage: Stage, reason: str | None = None) -> bool:
        """End a job; False where it had ended already."""
        with self._lock:
            if job.ended:
                return False
            job.stage = stage
        await self._end(self._receipt(job, reason))
        siblings = self._jobs.get(job.signal.id)
        if siblings is not None and all(other.ended for other in siblings):
            del self._jobs[job.signal.id]
        return True

    async def repeat(self, id_: str) -> None:
        """Send the latest receipts of a signal again."""
        for receipt in await self._inbox.receipts(id_):
            self._receipts.send(receipt)
        for job in self._jobs.get(id_, ()):
            if not job.ended:
                self._receipts.send(self._receipt(job))

    async def withdraw(self, withdrawal: Withdrawal, *, expires_at: int) -> None:
        """Stop a signal in every handler that was not started; one that has not arrived will not run either."""
        reason = f"withdrawn: {withdrawal.reason}"[:MAX_REASON]
        unknown = Receipt(
            signal=withdrawal.signal, bot=self._bot, stage=Stage.WITHDRAWN, reason=reason, at=from_micros(self._now())
        )
        if await self._inbox.withdraw(unknown, forget_at=expires_at + KEEP_AFTER_EXPIRY):
            self._receipts.send(unknown)
            return
        for job in list(self._jobs.get(withdrawal.signal, ())):
            if job.stage is Stage.RECEIVED:
                await self.finish(job, Stage.WITHDRAWN, reason)
        await self.repeat(withdrawal.signal)

    async def sweep(self) -> None:
        """End what expired while it waited."""
        now = self._now()
        late = [job for jobs in self._jobs.values() for job in jobs if job.expires_at <= now]
        for job in late:
            if job.stage is Stage.RECEIVED:
                await self._in_time(job)

    async def _in_time(self, job: Job) -> bool:
        if job.stage is not Stage.RECEIVED:
            return False
        now = self._now()
        if now < job.expires_at:
            return True
        late = expiry(job.signal, now=now)
        assert late is not None
        await self.finish(job, late.stage, f"{late.reason}, while it waited for {job.registration.name}")
        return False

    def _started(self, job: Job) -> bool:
        with self._lock:
            if job.stage is not Stage.RECEIVED:
                return False
            job.stage, job.started_at = Stage.STARTED, self._now()
        if get_ident() == self._thread:
            self._watch(job)
        else:
            self._loop.call_soon_threadsafe(self._watch, job)
        return True

    async def _end(self, receipt: Receipt) -> None:
        await self._inbox.finish(receipt)
        self._receipts.send(receipt)

    def _receipt(self, job: Job, reason: str | None = None) -> Receipt:
        at = self._now()
        started = job.started_at
        return Receipt(
            signal=job.signal.id,
            bot=self._bot,
            handler=job.registration.name,
            stage=job.stage,
            reason=reason[:MAX_REASON] if reason else None,
            at=from_micros(at),
            received_at=job.signal.received_at,
            started_at=None if started is None else from_micros(started),
            duration_ms=None if started is None or not job.ended else max(0, at - started) / 1000,
        )

    def _watch(self, job: Job) -> None:
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
                self._receipts.send(self._receipt(job))
        del self._watched[:due]
        self._watching = bool(self._watched)
        if self._watching:
            self._loop.call_at(self._watched[0][0], self._look)
