"""What breaks when: the same seed and sizes give the same faults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

RECOVERY = 4.0
"""Seconds between two faults of one kind of target, at least: a killed bot needs up to 3.5 to have its name back."""

ABSENCE = (35.0, 45.0)
"""Seconds of a long absence: longer than the shortest expiry of the run, shorter than the longest."""


class Kind(StrEnum):
    """What is done to a process, to the way between a client and the broker, or to a disk."""

    KILL = "kill"
    PAUSE = "pause"
    RESET = "reset"
    STALL = "stall"
    BLACKHOLE = "blackhole"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. Times are seconds, ``at`` from the beginning; a kill lasts until the process is started again."""

    at: float
    target: str
    kind: Kind
    lasts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What there is to break.

    Args:
        servers: processes that come back soon.
        bots: processes that also stay away for longer than some signals live.
        links: clients with a proxy between them and the broker.
        disks: who has a disk of its own that can be filled.
    """

    servers: tuple[str, ...]
    bots: tuple[str, ...]
    links: tuple[str, ...]
    disks: tuple[str, ...]


_LASTS = {
    Kind.KILL: (0.1, 1.5),
    Kind.PAUSE: (0.3, 4.0),
    Kind.RESET: (0.1, 1.0),
    Kind.STALL: (1.0, 5.0),
    Kind.BLACKHOLE: (5.0, 10.0),
    Kind.FULL: (1.0, 4.0),
}

Draft = tuple[Kind, float]


def schedule(seed: int, *, kills: int, targets: Targets) -> tuple[Fault, ...]:
    """Each process is killed ``kills`` times; the rest comes in proportion. In order of time."""
    drafts: dict[str, list[Draft]] = {}
    for name in (*targets.servers, *targets.bots):
        random = Random(f"{seed} process {name}")
        absences = kills // 10 if name not in targets.bots else max(kills // 20, kills // 10 and 1)
        long = ABSENCE if name in targets.bots else (4.0, 8.0)
        drafts[f"process {name}"] = [
            *_some(random, Kind.KILL, kills - absences),
            *((Kind.KILL, random.uniform(*long)) for _ in range(absences)),
            *_some(random, Kind.PAUSE, -(-kills // 4)),
        ]
    for name in targets.links:
        random = Random(f"{seed} link {name}")
        kinds = (Kind.RESET, Kind.STALL, Kind.BLACKHOLE)
        drafts[f"link {name}"] = [_one(random, kinds[number % 3]) for number in range(-(-kills // 2))]
    for name in targets.disks:
        drafts[f"disk {name}"] = _some(Random(f"{seed} disk {name}"), Kind.FULL, -(-kills // 5))
    duration = max(map(_needs, drafts.values())) * 1.05
    faults = [fault for line, them in drafts.items() for fault in _spread(seed, line, them, duration=duration)]
    return tuple(sorted(faults, key=lambda fault: (fault.at, fault.target, fault.kind)))


def ends(faults: Iterable[Fault]) -> float:
    """When the last fault is over; 0 without any."""
    return max((fault.at + fault.lasts for fault in faults), default=0.0)


def _one(random: Random, kind: Kind) -> Draft:
    return kind, random.uniform(*_LASTS[kind])


def _some(random: Random, kind: Kind, count: int) -> list[Draft]:
    return [_one(random, kind) for _ in range(count)]


def _needs(drafts: Sequence[Draft]) -> float:
    return sum(lasts + RECOVERY for _, lasts in drafts)


def _spread(seed: int, line: str, drafts: Sequence[Draft], *, duration: float) -> Iterable[Fault]:
    """Faults of one line never overlap; what time is left over falls between them at random."""
    random = Random(f"{seed} {line} order")
    target = line.partition(" ")[2]
    shuffled = random.sample(drafts, len(drafts))
    slack = duration - _needs(drafts)
    passed = 0.0
    for (kind, lasts), share in zip(shuffled, sorted(random.random() for _ in drafts), strict=True):
        passed += RECOVERY
        yield Fault(at=round(passed + share * slack, 3), target=target, kind=kind, lasts=round(lasts, 3))
        passed += lasts
