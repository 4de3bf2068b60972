"""The outcomes on their way to the journal: many share one commit, and none is lost while the disk is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.errors import NotStored
from gateway.journal.model import Journal, Outcome

_PAUSE = 1.0
"""Seconds until the next try where the journal could not store."""


class Outcomes:
    """Takes outcomes without waiting, and records them in their order."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._outcomes: list[tuple[Outcome, Callable[[], None] | None]] = []
        self._wanted = asyncio.Event()

    @property
    def pending(self) -> int:
        """How many are not recorded yet."""
        return len(self._outcomes)

    def add(self, outcome: Outcome, *, then: Callable[[], None] | None = None) -> None:
        """Take an outcome; ``then`` is called once it is on disk."""
        self._outcomes.append((outcome, then))
        self._wanted.set()

    async def run(self) -> None:
        """Record until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            batch = self._outcomes[:]
            try:
                await self._journal.record([outcome for outcome, _ in batch])
            except NotStored:
                await asyncio.sleep(_PAUSE)
                self._wanted.set()
                continue
            del self._outcomes[: len(batch)]
            for _, then in batch:
                if then is not None:
                    then()
            if self._outcomes:
                self._wanted.set()
