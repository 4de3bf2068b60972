"""Redelivery: lanes go back to the oldest signal that some bot has not receipted, whatever the broker acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from gateway.delivery.lane import Queue
from gateway.delivery.outcomes import Outcomes
from gateway.errors import NotStored
from gateway.journal.journal import Journal
from gateway.journal.model import Lane

_PATIENCE = 1.0
"""Seconds for the journal to record what a lane has behind it; a lane does not wait for longer."""


class Redelivery:
    """Rewinds lanes. A lane stops first, then what it has behind it is recorded, then it is read again.

    Args:
        wait: called where nothing new may go before what the bots lack that ``bots`` names.
        stop: stops a lane, now or when what is in flight is answered; it comes back through ``stopped``.
        resume: lets a stopped lane go on; True: from its beginning in the journal.
        ready: called when the lanes that ``bots`` asked for are stopped.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        outcomes: Outcomes,
        wait: Callable[[], None],
        stop: Callable[[Lane], None],
        resume: Callable[[Queue, bool], None],
        ready: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._outcomes = outcomes
        self._wait = wait
        self._stop = stop
        self._resume = resume
        self._ready = ready
        self._bots: set[str] = set()
        self._asked = False
        self._first: set[str] = set()
        self._held_for: set[str] = set()
        self._stopped: list[Queue] = []
        self._owed: set[Lane] = set()
        self._wanted = asyncio.Event()

    def bots(self, bots: Iterable[str], *, first: bool = False) -> None:
        """Send these bots again what they have not receipted; ``first``: before anything new."""
        bots = set(bots)
        self._bots |= bots
        self._asked = True
        self._wanted.set()
        if first:
            self._first |= bots
            self._wait()

    def stopped(self, queue: Queue) -> None:
        """A lane has stopped and waits to be read again."""
        self._stopped.append(queue)
        self._wanted.set()

    def look_again(self) -> None:
        """Ask again for what the journal could not do; called by the sweep."""
        if self._asked:
            self._wanted.set()
        if self._owed and not self._outcomes.failing:
            owed, self._owed = self._owed, set()
            for lane in owed:
                self._stop(lane)

    async def run(self) -> None:
        """Rewind until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._asked:
                await self._stop_lanes()
            if self._stopped:
                await self._read_again()

    async def _stop_lanes(self) -> None:
        bots, self._bots, self._asked = self._bots, set(), False
        self._held_for |= self._first & bots
        self._first -= bots
        await self._outcomes.flushed(timeout=_PATIENCE)
        try:
            for lane in await self._journal.lanes(bots=bots):
                self._stop(lane)
        except NotStored:
            self._bots |= bots
            self._asked = True
            self._go_on()
        else:
            if not self._first - self._held_for:
                self._go_on()

    def _go_on(self) -> None:
        """Let what is new go; each bot that comes holds it up once until then, however often it comes."""
        self._held_for.clear()
        self._ready()

    async def _read_again(self) -> None:
        stopped, self._stopped = self._stopped, []
        recorded = await self._outcomes.flushed(timeout=_PATIENCE)
        if not recorded:
            self._owed.update(queue.lane for queue in stopped)
        for queue in stopped:
            self._resume(queue, recorded)
