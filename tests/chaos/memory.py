"""The resident memory of processes over time, and how much it grows in the second half of a long life."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

LONG = 60.0
"""Seconds that a process must have lived: a younger one still fills its caches."""

EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The memory of one process at one time (seconds), in MB."""

    at: float
    name: str
    pid: int
    megabytes: float


async def sample(look: Callable[[], Mapping[str, tuple[int, float] | None]], *, into: list[Sample]) -> None:
    """Look at all processes once a second, until cancelled."""
    while True:
        now = time.monotonic()
        into += [Sample(now, name, *seen) for name, seen in look().items() if seen is not None]
        await asyncio.sleep(EVERY)


def highest(samples: Iterable[Sample]) -> dict[str, float]:
    """The most that any process of each name had, in MB."""
    found: dict[str, float] = {}
    for one in samples:
        found[one.name] = max(one.megabytes, found.get(one.name, 0.0))
    return found


def growth(samples: Iterable[Sample]) -> dict[str, float]:
    """By name: MB that a process grew in the second half of its life, the most over all that lived for long."""
    lives: defaultdict[tuple[str, int], list[Sample]] = defaultdict(list)
    for one in samples:
        lives[one.name, one.pid].append(one)
    found: dict[str, float] = {}
    for (name, _), life in lives.items():
        if life[-1].at - life[0].at >= LONG:
            middle = (life[0].at + life[-1].at) / 2
            first = max(one.megabytes for one in life if one.at <= middle)
            second = max(one.megabytes for one in life if one.at > middle)
            found[name] = max(second - first, found.get(name, -second))
    return found
