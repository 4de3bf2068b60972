"""A signal's life in one handler: every step is in the inbox first, and in a receipt after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from threading import Lock, get_ident

from bot_plugin.clock import GatewayClock
from bot_plugin.dispatch import Verdict, expiry
from bot_plugin.inbox import KEEP_AFTER_EXPIRY, Inbox
from bot_plugin.receipts import Receipts
from bot_plugin.registration import Registration
from bot_plugin.signal import Signal
from schemas.alert import Withdrawal
from schemas.fields import from_micros, to_micros
from schemas.receipt import Receipt, Stage
from schemas.secrets import redact_text

log = logging.getLogger("bot_plugin.lifecycle")

PATIENCE = 0.05
"""Seconds after which ``received`` and ``started`` are sent; a handler that ends sooner tells them in its last one."""

MAX_REASON = 500
_MAX_TEXT = 10_000

STOPPED = "the bot stopped before it was run"


class Job:
    """One signal on its way through one handler.

    ``stage`` is the last one reached, and ``note`` what its receipts say from now on beside their own reasons.
    """

    __slots__ = ("expires_at", "note", "registration", "signal", "stage", "started_at")

    def __init__(self, signal: Signal, registration: Registration) -> None:
        self.signal, self.registration = signal, registration
        self.expires_at = to_micros(signal.expires_at)
        self.stage = Stage.RECEIVED
        self.started_at: int | None = None
        self.note: str | None = None

    def __repr__(self) -> str:
        return f"Job({self.signal.id} in {self.registration.name}, {self.stage})"

    @property
    def ended(self) -> bool:
        """Whether its final stage is reached."""
        return self.stage.final


class Lifecycle:
    """Moves jobs through their stages; a stage is reached once, whoever comes first."""

    def __init__(
        self,
        *,
        bot: str,
        inbox: Inbox,
        receipts: Receipts,
        gateway: GatewayClock,
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        self._bot, self._inbox, self._receipts, self._gateway = bot, inbox, receipts, gateway
        self._now, self._monotonic = now, monotonic
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        self._lock = Lock()
        self._jobs: dict[str, list[Job]] = {}
        self._watched: list[tuple[float, Job, Stage]] = []
        self._watching = False
        self.stopped = False

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
                reason=_reason(verdict.reason),
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
        if job.stage is not Stage.RECEIVED or self._is_late(job):
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
        reason = _reason(f"withdrawn: {withdrawal.reason}")
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
        for job in self._open(Stage.RECEIVED):
            await self._in_time(job)

    async def stop(self) -> None:
        """Start nothing from now on, and end what waits."""
        with self._lock:
            self.stopped = True
        await self._end_all(Stage.RECEIVED, Stage.REFUSED, STOPPED)

    async def close(self) -> None:
        """End what waits, and what a strategy took and said nothing of; a run that may be repeated is left as it is."""
        await self.stop()
        await self._end_all(
            Stage.STARTED, Stage.INTERRUPTED, "the bot stopped before the strategy said what came of it"
        )

    async def idle(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when every job has ended, or after the timeout (seconds)."""
        deadline = self._loop.time() + timeout
        while self._jobs and self._loop.time() < deadline:  # noqa: ASYNC110  # ends come from many places
            await asyncio.sleep(0.005)

    def late(self, job: Job) -> Verdict | None:
        """Say that a job is past its expiry by any clock; from any thread."""
        if not self._is_late(job):
            return None
        now, monotonic = self._now(), self._monotonic()
        offset = self._gateway.offset(now=now, monotonic=monotonic)
        return expiry(job.signal, now=now, offset=offset, monotonic=monotonic)

    def _is_late(self, job: Job) -> bool:
        monotonic = self._monotonic()
        return (
            monotonic >= job.signal.deadline
            or self._gateway.latest(now=self._now(), monotonic=monotonic) >= job.expires_at
        )

    def _open(self, stage: Stage) -> list[Job]:
        return [job for jobs in self._jobs.values() for job in jobs if job.stage is stage]

    async def _end_all(self, at: Stage, stage: Stage, reason: str) -> None:
        for job in self._open(at):
            if at is Stage.STARTED and job.registration.rerun:
                continue
            try:
                await self.finish(job, stage, reason)
            except OSError as error:
                log.error("the end of %r, and of what follows, was not stored: %s", job, error)  # noqa: TRY400
                return

    async def _in_time(self, job: Job) -> bool:
        if job.stage is not Stage.RECEIVED:
            return False
        late = self.late(job)
        if late is not None:
            await self.finish(job, late.stage, f"{late.reason}, while it waited for {job.registration.name}")
        return late is None

    def _started(self, job: Job) -> bool:
        with self._lock:
            if self.stopped or job.stage is not Stage.RECEIVED:
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
        if job.note:
            reason = f"{reason}; {job.note}" if reason else job.note
        return Receipt(
            signal=job.signal.id,
            bot=self._bot,
            handler=job.registration.name,
            stage=job.stage,
            reason=_reason(reason) if reason else None,
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


def describe_error(error: BaseException) -> str:
    """``Type: message``, the first line of it, without the secrets that it shows."""
    name = type(error).__name__
    try:
        lines = str(error).splitlines()
    except Exception:  # noqa: BLE001  # an error's own text may fail too
        return name
    return f"{name}: {redact_text(lines[0][:_MAX_TEXT])}" if lines else name


def _reason(text: str) -> str:
    """What a receipt can carry of a text: lone surrogates have no UTF-8."""
    return text[:MAX_REASON].encode(errors="replace").decode()
