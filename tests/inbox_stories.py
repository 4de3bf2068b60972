"""What the tests of the bot's inbox tell it, by a clock that they move."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

from bot_plugin.inbox import Arrival, Inbox
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage

SECOND = 1_000_000
HOUR = 3600 * SECOND
START = 1_795_352_101 * SECOND

_numbers = itertools.count()


class Clock:
    """A wall clock that is set, and one that only passes, in microseconds."""

    def __init__(self, *, wall: int = START) -> None:
        self.wall, self.passed = wall, 0

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.passed

    def pass_(self, micros: int) -> None:
        self.wall += micros
        self.passed += micros


def arrival(
    id_: str | None = None,
    *,
    at: int = START,
    keep: int = HOUR + 60 * SECOND,
    handlers: tuple[str, ...] = ("act",),
    topic: str = "t",
    sequence: int = 1,
    series: str | None = None,
    ended: str | None = None,
) -> Arrival:
    return Arrival(
        id=id_ or f"s{next(_numbers)}",
        topic=topic,
        payload=b"{}",
        handlers=handlers,
        sequence=sequence,
        received_at=at,
        forget_at=at + keep,
        series=series,
        ended=ended,
    )


def receipt(id_: str, stage: Stage = Stage.HANDLED, handler: str | None = "act", *, at: int = START) -> Receipt:
    return Receipt(signal=id_, bot="demo", stage=stage, handler=handler, at=from_micros(at))


async def tell_arrived(inbox: Inbox, *arrivals: Arrival) -> None:
    """Let signals arrive, and wait until they are stored."""
    for one in arrivals:
        assert inbox.arrive(one)
    await inbox.stored()


def crash(path: Path, *, into: Path) -> Path:
    """What a crash leaves at this moment: a copy of what is in the files, to be opened as another process would."""
    into.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, into / file.name)
    return into / path.name
