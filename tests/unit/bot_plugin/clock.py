"""Clocks that tests move."""

from __future__ import annotations

import time


class Clock:
    """This machine's clock, moved. ``advance`` moves the monotonic one too; ``step`` sets the clock only."""

    def __init__(self) -> None:
        self.ahead = 0
        self.passed = 0

    def __call__(self) -> int:
        return time.time_ns() // 1000 + self.ahead

    def monotonic(self) -> int:
        return time.monotonic_ns() // 1000 + self.passed

    def advance(self, seconds: float) -> None:
        self.step(seconds)
        self.passed += round(seconds * 1_000_000)

    def step(self, seconds: float) -> None:
        self.ahead += round(seconds * 1_000_000)
