"""Rows on their way from the journal into memory, lane by lane."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection

from gateway.delivery.lane import Queue
from gateway.errors import NotStored
from gateway.journal.journal import Journal
from gateway.journal.model import Waiting

_PAUSE = 1.0
"""Seconds until the journal is asked again where the disk refused."""


class Loader:
    """Reads the next rows of lanes that want some.

    Args:
        loaded: gets a lane and its next rows.
        bots: those that can be reached: what others have not receipted stays in the journal.
    """

    def __init__(
        self,
        journal: Journal,
        loaded: Callable[[Queue, list[Waiting]], None],
        *,
        bots: Callable[[], Collection[str]],
    ) -> None:
        self._journal = journal
        self._bots = bots
        self._loaded = loaded
        self._wanting: deque[tuple[Queue, int]] = deque()
        self._wanted = asyncio.Event()

    def want(self, queue: Queue, *, limit: int) -> None:
        """Read up to ``limit`` rows of a lane, soon."""
        self._wanting.append((queue, limit))
        self._wanted.set()

    async def run(self) -> None:
        """Load until cancelled; a disk that refuses is asked again."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                while self._wanting:
                    await self._load(*self._wanting[0])
                    self._wanting.popleft()
            except NotStored:
                await asyncio.sleep(_PAUSE)
                self._wanted.set()

    async def _load(self, queue: Queue, limit: int) -> None:
        if not queue.known:
            queue.last_put = await self._journal.last_put(queue.lane)
            queue.reduced_to = max(queue.reduced_to, await self._journal.last_reduce(queue.lane))
            queue.known = True
        queue.more = False  # what is committed while the journal reads sets it again
        try:
            rows = await self._journal.waiting(queue.lane, after=queue.loaded_to, limit=limit, bots=self._bots())
        except NotStored:
            queue.more = True
            raise
        queue.more = queue.more or len(rows) == limit
        self._loaded(queue, rows)
