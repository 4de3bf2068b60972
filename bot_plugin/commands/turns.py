"""Calls at their turn: one at a time where order matters, beside the others where it does not, each to its reply."""

from __future__ import annotations

import asyncio
import logging
import traceback
from asyncio import Future, Queue, Task, TaskGroup
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any, NoReturn

from bot_plugin.commands.answer import CommandFailed, encode, failure, refusal, reply_of
from bot_plugin.commands.execution import Ended, execute
from bot_plugin.commands.ledger import Ledger, LedgerFull
from bot_plugin.commands.offers import Offer
from bot_plugin.commands.outcome import Outcome
from bot_plugin.commands.reading import Call
from bot_plugin.commands.secrecy import without_secrets
from bot_plugin.commands.spelling import Unspellable
from bot_plugin.wording import describe_error
from schemas.rpc import Reply, write_reply

log = logging.getLogger("bot_plugin.commands")

WAITING = 100
"""Commands that wait for the one before them; further ones are refused."""

BESIDE = 32
"""Commands that run beside each other; further ones are refused."""

LEFT = 16
"""Commands that were given up and go on; while there are as many, none is begun."""

_MAX_TRACE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """When a message arrived, by the bot's clock and by one that nobody sets; microseconds."""

    at: int
    monotonic: int


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A call that is to be run.

    Args:
        offer: what is called.
        argument: what with.
        arrival: when it came.
        reply_to: the topics of all who asked for it.
    """

    call: Call
    offer: Offer
    argument: Any
    arrival: Arrival
    reply_to: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a job.

    Args:
        payload: the reply.
        seconds: for how long it ran; None where it did not.
    """

    outcome: Outcome
    payload: bytes
    reason: str = ""
    seconds: float | None = None


class Turns:
    """The jobs of one run.

    Args:
        ledger: the memory of what was run.
        now: the bot's clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, microseconds.
        max_reply: bytes of a reply.
        settle: is told of every job that ended.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        now: Callable[[], int],
        monotonic: Callable[[], int],
        max_reply: int,
        settle: Callable[[Job, Settled], None],
    ) -> None:
        self._ledger, self._now, self._monotonic = ledger, now, monotonic
        self._max_reply, self._settle = max_reply, settle
        self._jobs: dict[bytes, Job] = {}
        self._in_order: Queue[Job] = Queue(WAITING)
        self._beside: set[Task[None]] = set()
        self._left: set[Task[Ended] | Thread] = set()
        self._cut: Future[None] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self.stopping = False
        """Whether no job is begun any more."""

    def get(self, key: bytes) -> Job | None:
        """The job of a call that waits or runs."""
        return self._jobs.get(key)

    def put(self, job: Job, group: TaskGroup) -> bool:
        """Run a job at its turn; False where too many wait for theirs."""
        if self._in_order.full() if job.offer.ordered else len(self._beside) >= BESIDE:
            return False
        self._jobs[job.call.key] = job
        if job.offer.ordered:
            self._in_order.put_nowait(job)
        else:
            task = group.create_task(self._run(job), name=f"bot_plugin.commands[{job.call.name}]")
            self._beside.add(task)
            task.add_done_callback(self._beside.discard)
        return True

    async def work(self) -> NoReturn:
        """Run those that wait for each other, until cancelled."""
        while True:
            await self._run(await self._in_order.get())

    async def stop(self, *, grace: float) -> None:
        """Begin none any more, and give up what has not ended after the grace (seconds)."""
        self.stopping = True
        await self._idle(timeout=grace)
        if not self._cut.done():
            self._cut.set_result(None)
        await self._idle(timeout=1)

    def late(self, call: Call, arrival: Arrival) -> str:
        """Why a call must not be run now, as its time is over by either clock; empty where it may."""
        waited = self._monotonic() - arrival.monotonic
        over = max(self._now() - call.good_until, waited - (call.good_until - arrival.at))
        return f"not run: its deadline is over since {over / 1e6:.1f} s" if over > 0 else ""

    async def _run(self, job: Job) -> None:
        try:
            settled = await self._settled(job)
        except Exception as error:
            log.exception("command %s did not end as it should", job.call.name)
            words = f"what {job.call.name} has done is not known: {describe_error(error)}"
            settled = self._refusal(Outcome.FAILED, words)
        del self._jobs[job.call.key]
        self._settle(job, settled)
        self._ended.set()

    async def _settled(self, job: Job) -> Settled:
        if refused := self._refused(job):
            return refused
        try:
            await self._ledger.begin(job.call.key, job.call.fingerprint, harmless=job.offer.harmless)
        except LedgerFull as full:
            return self._refusal(Outcome.FULL, str(full))
        except OSError as error:
            return self._refusal(Outcome.NOT_STORED, f"not run: {error}")
        settled = self._refused(job) or await self._executed(job)  # the disk may have taken long
        try:
            await self._ledger.finish(job.call.key, settled.payload)
        except OSError as error:
            log.error("the reply to %s is not remembered: %s", job.call.name, error)  # noqa: TRY400
        return settled

    def _refused(self, job: Job) -> Settled | None:
        """Why a job that is at its turn is not begun."""
        self._left = {each for each in self._left if _runs(each)}
        if late := self.late(job.call, job.arrival):
            return self._refusal(Outcome.LATE, f"{late}, as it waited for its turn")
        if self.stopping:
            return self._refusal(Outcome.STOPPING, "not run: the bot is stopping")
        if len(self._left) >= LEFT:
            return self._refusal(Outcome.FULL, f"not run: {LEFT} commands that were given up go on still")
        return None

    async def _executed(self, job: Job) -> Settled:
        offer, begun = job.offer, self._monotonic()
        ended = await execute(offer.function, job.argument, limit=offer.limit, cut=self._cut, name=offer.name)
        if ended.left is not None:
            self._left.add(ended.left)
        seconds = (self._monotonic() - begun) / 1e6
        return replace(self._answered(job, ended), seconds=seconds)

    def _answered(self, job: Job, ended: Ended) -> Settled:
        if ended.error is not None:
            return self._failed(job, ended.error)
        if ended.outcome is not Outcome.DONE:
            return self._refusal(ended.outcome, ended.reason)
        try:
            reply = reply_of(ended.result, command=job.call.name)
            payload = encode(replace(reply, timestamp=self._now()), most=self._max_reply)
        except Unspellable as problem:
            return self._refusal(Outcome.FAILED, f"{job.call.name} was run, and its answer cannot be told: {problem}")
        except Exception as error:  # noqa: BLE001  # an answer is the handler's, and so are its errors
            return self._failed(job, error)
        return Settled(outcome=Outcome.DONE, payload=payload)

    def _failed(self, job: Job, error: BaseException) -> Settled:
        reply = failure(error)
        if not isinstance(error, CommandFailed):
            told = "".join(traceback.format_exception(error))
            log.error("command %s failed:\n%s", job.call.name, without_secrets(told[-_MAX_TRACE:], job.call.data))
        return Settled(outcome=Outcome.FAILED, payload=self._written(reply), reason=reply.msg)

    def _refusal(self, outcome: Outcome, reason: str) -> Settled:
        return Settled(outcome=outcome, payload=self._written(refusal(reason)), reason=reason)

    def _written(self, reply: Reply) -> bytes:
        """Write a reply that says why; it is short, whatever ``max_reply`` is."""
        return write_reply(replace(reply, timestamp=self._now()))

    async def _idle(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when no job is left, or after the timeout (seconds)."""
        deadline = asyncio.get_running_loop().time() + timeout
        while self._jobs:
            self._ended.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._ended.wait()
            except TimeoutError:
                return


def _runs(left: Task[Ended] | Thread) -> bool:
    return left.is_alive() if isinstance(left, Thread) else not left.done()
