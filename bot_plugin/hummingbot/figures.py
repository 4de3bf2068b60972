"""Which of the figures of strategies are told: what changed, and all of them now and then. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

EVERY = 10.0
"""Seconds after which figures that did not change are told again."""

Snapshot = Mapping[str, Mapping[str, Any]]


class Figures:
    """What was told last, by controller or strategy."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, Mapping[str, Any]]] = {}

    def choose(self, snapshot: Snapshot, *, elsewhere: Collection[str], now: float) -> dict[str, Mapping[str, Any]]:
        """What is to be told; empty figures for what has ended.

        Args:
            snapshot: the figures now.
            elsewhere: those that somebody else tells.
            now: in seconds.
        """
        ended = [name for name in self._told if name not in snapshot or name in elsewhere]
        chosen: dict[str, Mapping[str, Any]] = {name: {} for name in ended if name not in elsewhere}
        for name in ended:
            del self._told[name]
        for name, figures in snapshot.items():
            if name not in elsewhere and self._is_due(name, figures, now):
                self._told[name] = now, figures
                chosen[name] = figures
        return chosen

    def _is_due(self, name: str, figures: Mapping[str, Any], now: float) -> bool:
        at, told = self._told.get(name, (now - EVERY, figures))
        return figures != told or now - at >= EVERY
