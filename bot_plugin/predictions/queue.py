"""The predictions that wait or are under way: bounded, in order, and none beyond its time."""

from __future__ import annotations

import asyncio
from asyncio import Event, Future, Semaphore
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot_plugin.predictions.body import Line
from bot_plugin.predictions.results import Fault, Outcome, Result

_GRAIN = 0.005
"""Seconds by which two clocks of one machine may differ within seconds."""

NOT_YET = "it was not its turn yet"


@dataclass(slots=True, eq=False, kw_only=True)
class Waiting:
    """One prediction on its way.

    Args:
        line: as it is sent.
        begun: when it was handed in, by the loop's clock.
        answer: what became of it.
        attempts: how often it was sent.
        under_way: whether it is in the request that is out.
        lost: whether it was in a request whose answer did not come, and may be at the gateway.
    """

    line: Line
    begun: float
    answer: Future[Result] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    attempts: int = 0
    under_way: bool = False
    lost: bool = False

    def end(self, outcome: Outcome, *, id_: str | None = None, reason: str = "", faults: Sequence[Fault] = ()) -> None:
        """Say what became of it; what was said first stays."""
        if self.answer.done():
            return
        self.answer.set_result(
            Result(
                outcome=outcome,
                idempotency_key=self.line.key,
                id=id_,
                reason=reason,
                faults=tuple(faults),
                attempts=self.attempts,
                took=asyncio.get_running_loop().time() - self.begun,
            )
        )

    def give_up(self, reason: str) -> None:
        """Say that it will not be sent any more: it is not at the gateway, or nobody knows."""
        self.end(Outcome.UNKNOWN if self.lost or self.under_way else Outcome.UNSENT, reason=reason)


class Queue:
    """What waits, in the order in which it was handed in.

    Args:
        limit: predictions that may wait or be under way.
        now: the clock by which predictions run out.
    """

    def __init__(self, limit: int, *, now: Callable[[], datetime]) -> None:
        self.trouble = NOT_YET
        """Why the last request came to nothing; what is given up names it."""
        self._limit, self._now = limit, now
        self._room = Semaphore(limit)
        self._waiting: deque[Waiting] = deque()
        self._open = 0
        self._some, self._none = Event(), Event()
        self._none.set()
        self._closed = ""

    async def put(self, line: Line, *, within: float) -> Future[Result]:
        """Let a prediction wait, as soon as there is room.

        Args:
            line: as it is sent.
            within: seconds until it is given up, this wait for room included.

        Raises:
            RuntimeError: the queue was closed.
        """
        loop = asyncio.get_running_loop()
        waiting = Waiting(line=line, begun=loop.time())
        try:
            async with asyncio.timeout(within):
                await self._room.acquire()
        except TimeoutError:
            waiting.give_up(f"{self._limit:,} predictions wait already, for {within:g} s: {self.trouble}")
            return waiting.answer
        if self._closed:
            self._room.release()
            raise RuntimeError(self._closed)
        self._waiting.append(waiting)
        self._open += 1
        self._some.set()
        self._none.clear()
        over = loop.call_at(waiting.begun + within, lambda: waiting.give_up(f"{within:g} s are over: {self.trouble}"))
        out = loop.call_later(self._left(line, most=within), self._look_at, waiting)
        waiting.answer.add_done_callback(lambda _: self._ended(over, out))
        return waiting.answer

    def take(self, *, lines: int, size: int) -> list[Waiting]:
        """The first that wait, without those that ran out; they stay until they are answered.

        Args:
            lines: how many, at most.
            size: bytes of them together, at most; one that is larger goes alone.
        """
        while self._waiting and self._waiting[0].answer.done():
            self._waiting.popleft()
        taken: list[Waiting] = []
        now, room = self._now(), size
        for waiting in self._waiting:
            if waiting.answer.done() or _ran_out(waiting, now=now):
                continue
            room -= len(waiting.line.text) + 1
            if taken and (room < 0 or len(taken) >= lines):
                break
            taken.append(waiting)
        return taken

    async def some(self) -> None:
        """Return when one waits."""
        await asyncio.sleep(0)  # those that were answered just now are told first, and wait no more
        await self._some.wait()

    async def none(self) -> None:
        """Return when all are answered, or given up."""
        await self._none.wait()

    def close(self, reason: str) -> None:
        """Give up all that waits, and take no more."""
        self._closed = reason
        for waiting in self._waiting:
            waiting.give_up(f"{reason}: {self.trouble}")
        self._waiting.clear()

    def _left(self, line: Line, *, most: float) -> float:
        """Seconds until it has run out for certain, by the clock as it stands now."""
        if line.expires is None:
            return most
        return min(max(0.0, (line.expires - self._now()).total_seconds() + _GRAIN), most)

    def _look_at(self, waiting: Waiting) -> None:
        if not waiting.under_way:  # else its answer may come yet
            _ran_out(waiting, now=self._now())

    def _ended(self, *timers: asyncio.TimerHandle) -> None:
        for timer in timers:
            timer.cancel()
        self._room.release()
        self._open -= 1
        if not self._open:
            self._some.clear()
            self._none.set()


def _ran_out(waiting: Waiting, *, now: datetime) -> bool:
    expires = waiting.line.expires
    if expires is None or now < expires:
        return False
    waiting.give_up(f"it ran out at {expires:%Y-%m-%d %H:%M:%S} UTC")
    return True
