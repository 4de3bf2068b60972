"""The outcomes on their way to the journal: many share one commit, and none is lost while the disk is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gateway.delivery.route import SIGNALS
from gateway.errors import NotStored
from gateway.journal.journal import Journal
from gateway.journal.model import Outcome, Station, Waiting
from gateway.telemetry import Telemetry

_GATHER = 0.05
"""Seconds in which outcomes are gathered: what a bot receipts by then is written once, as receipted."""

_PAUSE = 1.0
"""Seconds until the next try where the journal could not store."""

_UNDELIVERED = frozenset({Station.DENIED, Station.UNHEARD, Station.UNKNOWN, Station.EXPIRED, Station.DEAD})


class Outcomes:
    """Takes outcomes without waiting, and records them in their order."""

    def __init__(self, journal: Journal, *, telemetry: Telemetry) -> None:
        self._journal = journal
        self._telemetry = telemetry
        self._outcomes: list[tuple[Outcome, Callable[[], None] | None]] = []
        self._wanted = asyncio.Event()
        self._hurry = asyncio.Event()
        self._recorded = asyncio.Event()
        self._done = 0
        self.failing = False
        """Whether the journal could not store when it was last asked."""

    @property
    def pending(self) -> int:
        """How many are not recorded yet."""
        return len(self._outcomes)

    def add(self, outcome: Outcome, *, then: Callable[[], None] | None = None) -> None:
        """Take an outcome; ``then`` is called once it is on disk, which is soon."""
        self._outcomes.append((outcome, then))
        self._wanted.set()
        if then is not None:
            self._hurry.set()

    def tell(self, row: Waiting, outcome: Outcome, *, answered: bool, missed: bool = True) -> None:
        """Report what became of a row.

        Args:
            row: the row.
            outcome: how it ended.
            answered: whether it is what the broker said.
            missed: whether somebody misses it where nobody heard it.
        """
        station, source = outcome.station, row.source
        if station is Station.PUBLISHED:
            if row.awaiting:
                self._telemetry.redelivered(source=source)
                return
            if answered and row.lane.destination == SIGNALS:
                seconds = (outcome.at - row.accepted_at) / 1e6
                self._telemetry.published(source=source, body=row.body, seconds=seconds)
        elif station in _UNDELIVERED and (missed or station is not Station.UNHEARD):
            self._telemetry.undelivered(row, station=station, reason=outcome.reason)
            return
        self._telemetry.outcome(station=station, source=source)

    async def flushed(self, *, timeout: float) -> bool:  # noqa: ASYNC109
        """Return when all that was taken by now is recorded; False where the journal cannot, after seconds."""
        end = self._done + len(self._outcomes)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._done < end:
                    self._hurry.set()
                    self._recorded.clear()
                    await self._recorded.wait()
        return self._done >= end

    async def run(self) -> None:
        """Record until cancelled."""
        while True:
            await self._wanted.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHER):
                    await self._hurry.wait()
            self._wanted.clear()
            self._hurry.clear()
            await self._record()
            if self._outcomes:
                self._wanted.set()

    async def _record(self) -> None:
        batch = self._outcomes[:]
        try:
            receipted = await self._journal.record([outcome for outcome, _ in batch])
        except NotStored:
            self.failing = True
            await asyncio.sleep(_PAUSE)
            return
        self.failing = False
        del self._outcomes[: len(batch)]
        self._done += len(batch)
        self._recorded.set()
        for source in receipted:
            self._telemetry.outcome(station=Station.RECEIPTED, source=source)
        for _, then in batch:
            if then is not None:
                then()
