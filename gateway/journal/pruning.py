"""Forgets what is old enough, now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gateway.errors import NotStored
from gateway.journal.journal import Journal

EVERY = 10.0
"""Seconds between two looks."""


async def prune_for_ever(journal: Journal, *, clock: Callable[[], int]) -> None:
    """Prune until cancelled; ``clock`` is microseconds since the epoch."""
    while True:
        await asyncio.sleep(EVERY)
        with suppress(NotStored):  # the journal's trouble says it, and the next time finds out whether it is over
            await journal.prune(now=clock())
