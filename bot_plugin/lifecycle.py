"""A signal's life in one handler: every step is in the inbox first, and in a receipt after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from threading import Lock, get_ident
from types import MappingProxyType

from bot_plugin.clock import GatewayClock
from bot_plugin.dispatch import Verdict, expiry
from bot_plugin.inbox import Inbox, forget_at
from bot_plugin.job import Job
from bot_plugin.progress import Progress
from bot_plugin.receipts import Receipts
from bot_plugin.recovery import Left
from bot_plugin.registration import Registration
from bot_plugin.reports import Reports
from bot_plugin.signal import Signal
from bot_plugin.wording import in_receipt
from schemas.alert import Withdrawal
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage

log = logging.getLogger("bot_plugin.lifecycle")

STOPPED = "the bot stopped before it was run"

FORGOTTEN = "an earlier run of this bot took it, and ended before it could say what became of it; it started nothing"


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
        self._reports = Reports(bot, inbox=inbox, receipts=receipts, now=now)
        self._now, self._monotonic = now, monotonic
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        self._lock = Lock()
        self._jobs: dict[str, list[Job]] = {}
        self._progress = Progress(lambda job: self._reports.send(self._reports.of(job)))
        self.stopped = False

    @property
    def open(self) -> Iterator[Job]:
        """The jobs that have not ended."""
        return (job for jobs in self._jobs.values() for job in jobs if not job.ended)

    @property
    def running(self) -> list[Job]:
        """The jobs whose handlers were called, or took them, and have not ended."""
        return [job for job in self._at(Stage.STARTED) if job.cut is None]

    def _at(self, stage: Stage) -> list[Job]:
        return [job for job in self.open if job.stage is stage]

    def received(
        self,
        signal: Signal,
        registrations: Iterable[Registration],
        *,
        orders: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> list[Job]:
        """Open a job for each handler; ``orders``: those that followed already, by handler."""
        jobs = [Job(signal, each, self._reports.told, orders=orders.get(each.name, ())) for each in registrations]
        self._jobs[signal.id] = jobs
        for job in jobs:
            self._progress.watch(job)
        return jobs

    def recovered(self, left: Left) -> list[Job]:
        """Open the jobs of a signal that an earlier process left: to be run, or to be reported as cut short."""
        if left.signal is None or not (left.cut or left.run):
            return []
        jobs = self.received(left.signal, (*left.cut, *left.run), orders=left.orders)
        for job in jobs[: len(left.cut)]:
            job.stage, job.cut = Stage.STARTED, left.cut[job.registration]
            job.started_at = left.started.get(job.registration.name)
        return jobs

    def refuse(self, signal: str, verdict: Verdict, *, received_at: int, handler: str | None = None) -> None:
        """End a signal that no handler will see, or one of them will not."""
        self._reports.end(
            Receipt(
                signal=signal,
                bot=self._bot,
                handler=handler,
                stage=verdict.stage,
                reason=in_receipt(verdict.reason),
                at=from_micros(self._now()),
                received_at=from_micros(received_at),
            )
        )

    async def start(self, job: Job, registration: Registration) -> bool:
        """Take the last step before the call; False where the job has ended, or ends now as it is too late.

        False, too, where its handler is not this one any more.
        """
        if self.stopped or job.registration is not registration or not self._in_time(job):
            return False
        self._inbox.start(job.signal.id, registration.name, at=self._now())
        await self._inbox.stored()
        if not self._in_time(job):
            return False
        started = self._started(job, registration)
        if self.stopped and not started:
            self.finish(job, Stage.REFUSED, STOPPED)
        return started

    def start_now(self, job: Job) -> bool:
        """As ``start``, for a strategy that looks, on any thread; leaves an end to the sweep."""
        registration = job.registration
        if self.stopped or not registration.is_here or job.stage is not Stage.RECEIVED or self._is_late(job):
            return False
        self._inbox.start_now(job.signal.id, registration.name, at=self._now())
        return not self._is_late(job) and self._started(job, registration)

    def hand(self, job: Job, registration: Registration) -> bool:
        """Give a job that was not started, or is to be reported, to another handler of its name; False where it was."""
        with self._lock:
            waits = job.stage is Stage.RECEIVED or job.cut is not None
            if waits:
                job.registration = registration
            return waits

    def repeatable(self, job: Job) -> None:
        """A run that was cut short may be repeated: the job waits again."""
        with self._lock:
            if not job.ended:
                job.stage, job.cut, job.passed = Stage.RECEIVED, None, True

    def finish(self, job: Job, stage: Stage, reason: str | None = None) -> bool:
        """End a job; False where it had ended already."""
        with self._lock:
            if job.ended:
                return False
            job.stage = stage
        self._reports.end(self._reports.of(job, reason))
        self._reports.follow(job)
        siblings = self._jobs.get(job.signal.id)
        if siblings is not None and all(other.ended for other in siblings):
            del self._jobs[job.signal.id]
        return True

    def repeat(self, id_: str) -> None:
        """Send the latest receipts of a signal again."""
        known, jobs = self._inbox.receipts(id_), self._jobs.get(id_, [])
        for receipt in known:
            self._reports.send(receipt)
        for job in jobs:
            if not job.ended:
                self._reports.send(self._reports.of(job))
        if not known and not jobs:
            self.refuse(id_, Verdict(Stage.REFUSED, FORGOTTEN), received_at=self._now())

    def ask(self, job: Job) -> None:
        """Send the receipt of a job once more, where the gateway has nothing to confirm."""
        if not len(self._receipts):
            with suppress(OSError):  # it has ended the run already
                self._reports.send(self._reports.of(job))

    def withdraw(self, withdrawal: Withdrawal, *, expires_at: int) -> None:
        """Stop a signal in every handler that was not started; one that has not arrived will not run either."""
        reason = in_receipt(withdrawal.reason)
        unknown = Receipt(
            signal=withdrawal.signal, bot=self._bot, stage=Stage.WITHDRAWN, reason=reason, at=from_micros(self._now())
        )
        if self._inbox.withdraw(unknown, forget_at=forget_at(expires_at, now=self._now())):
            self._reports.send(unknown)
            return
        for job in list(self._jobs.get(withdrawal.signal, ())):
            if job.stage is Stage.RECEIVED:
                self.finish(job, Stage.WITHDRAWN, reason)
        self.repeat(withdrawal.signal)

    def sweep(self) -> None:
        """End what expired while it waited."""
        for job in self._at(Stage.RECEIVED):
            self._in_time(job)

    def stop(self) -> None:
        """Start nothing from now on, and end what waits, unless the next start will find it."""
        with self._lock:
            self.stopped = True
        if not self._inbox.durable:
            self._end_all(Stage.RECEIVED, Stage.REFUSED, STOPPED)

    def turn_away(self, job: Job) -> None:
        """A job came when the bot had stopped."""
        if not self._inbox.durable:
            self.finish(job, Stage.REFUSED, STOPPED)

    def close(self) -> None:
        """Stop, and end what a strategy took and said nothing of; a run that may be repeated is left as it is."""
        self.stop()
        self._end_all(Stage.STARTED, Stage.INTERRUPTED, "the bot stopped before the strategy said what came of it")

    async def idle(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when every job that was started has ended, or after the timeout (seconds)."""
        deadline = self._loop.time() + timeout
        while self.running and self._loop.time() < deadline:  # noqa: ASYNC110  # ends come from many places
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

    def _end_all(self, at: Stage, stage: Stage, reason: str) -> None:
        for job in self._at(at):
            if at is Stage.STARTED and (job.registration.rerun or job.cut is not None):
                continue
            try:
                self.finish(job, stage, reason)
            except OSError as error:
                log.error("the end of %r, and of what follows, was not stored: %s", job, error)  # noqa: TRY400
                return

    def _in_time(self, job: Job) -> bool:
        if job.stage is not Stage.RECEIVED:
            return False
        late = self.late(job)
        if late is not None:
            here = "" if job.registration.is_here else ", which was not there"
            self.finish(job, late.stage, f"{late.reason}, while it waited for {job.registration.name}{here}")
        return late is None

    def _started(self, job: Job, registration: Registration) -> bool:
        with self._lock:
            if self.stopped or job.stage is not Stage.RECEIVED or job.registration is not registration:
                return False
            job.stage, job.started_at = Stage.STARTED, self._now()
        if get_ident() == self._thread:
            self._progress.watch(job)
        else:
            self._loop.call_soon_threadsafe(self._progress.watch, job)
        return True
