"""A clock that tests move."""

from __future__ import annotations

import time


class Clock:
    """This machine's clock, moved."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return time.time_ns() // 1000 + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += round(seconds * 1_000_000)
