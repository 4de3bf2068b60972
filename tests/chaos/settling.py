"""How long a deployment takes until nothing is left to do."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from tests.chaos.world import World

QUIET = 3.0
"""Seconds without a new line of a bot or a new receipt after which a run is over."""

_LOOK = 0.25


async def caught_up(world: World, *, waiting: float) -> None:
    """Return when no more than this waits in the outbox: what is late from then on is not late for a backlog."""
    while (seen := await asyncio.to_thread(_look, world)) is None or seen[0] > waiting:
        await asyncio.sleep(_LOOK)


async def settle(world: World, *, within: float) -> float | None:
    """Wait until the outbox is empty and nobody says anything new.

    Args:
        world: what is to settle.
        within: seconds in which something must have been said, as long as anything waits.

    Returns:
        The seconds until that began; None where nothing went on any more before it was done.
    """
    began = since = time.monotonic()
    last: tuple[float, ...] | None = None
    while (now := time.monotonic()) < since + within:
        seen = await asyncio.to_thread(_look, world)
        if seen is not None and seen != last:
            last, since = seen, now
        elif seen is not None and not seen[0] and now - since >= QUIET:
            return since - began
        await asyncio.sleep(_LOOK)
    return None


def _look(world: World) -> tuple[float, ...] | None:
    """What waits for the broker or a receipt, and how much was said; None where the gateway does not answer."""
    with suppress(OSError):
        outbox = world.deployment.api("status")["outbox"]
        receipts = world.deployment.metric("signal_gateway_receipts_total")
        return outbox["waiting"] + outbox["awaiting"], receipts, *(path.stat().st_size for _, path in world.records())
    return None
