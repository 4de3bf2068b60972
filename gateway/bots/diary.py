"""What the bots told lately, for people to read: rings of messages within one budget, shared evenly."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

RINGS = {"log": 1_000, "events": 50, "notify": 50, "performance": 1}
"""By channel, how many messages of one bot are kept; where there is no room, those of the first channels go first."""

_BUDGET = 32 * 1_048_576
"""Bytes of all bots: of 1,000 of them some 100 log lines each."""

_EACH = 192
"""Bytes that a message takes beside its payload."""

_BOT, _RING = 400, 800
"""Bytes that a bot takes, and a ring beside its messages."""

_AFTER_TRIMMING = 0.75
"""The part of its share that each bot keeps when all are trimmed, so that this is seldom."""


class Entry(NamedTuple):
    """A message. ``at`` is its arrival in microseconds since the epoch, made to grow: no two are equal."""

    at: int
    payload: bytes


class _Rings:
    """The messages of one bot."""

    __slots__ = ("_rings", "size")

    def __init__(self) -> None:
        self._rings: dict[str, deque[Entry]] = {}
        self.size = _BOT

    def add(self, channel: str, entry: Entry, *, share: int) -> None:
        ring = self._rings.get(channel)
        if ring is None:
            ring = self._rings[channel] = deque()
            self.size += _RING
        elif len(ring) >= RINGS[channel]:
            self._drop(ring)
        ring.append(entry)
        self.size += len(entry.payload) + _EACH
        self.trim(share)

    def trim(self, share: int) -> None:
        for channel in RINGS:
            ring = self._rings.get(channel)
            while ring and self.size > share:
                self._drop(ring)
            if ring is not None and not ring:
                del self._rings[channel]
                self.size -= _RING

    def of(self, channel: str) -> Iterable[Entry]:
        return self._rings.get(channel, ())

    def _drop(self, ring: deque[Entry]) -> None:
        self.size -= len(ring.popleft().payload) + _EACH


class Diary:
    """Keeps the latest messages of every bot; a bot that tells much loses its own oldest ones, nobody else's."""

    def __init__(self, *, budget: int = _BUDGET) -> None:
        self._budget = budget
        self._bots: dict[str, _Rings] = {}
        self._last = 0
        self.size = 0
        """Bytes that all messages take."""

    def keep(self, bot: str, channel: str, payload: bytes, *, at: int) -> None:
        """Keep a message that arrived at a microsecond since the epoch."""
        rings = self._bots.get(bot)
        if rings is None:
            rings = self._bots[bot] = _Rings()
            self.size += rings.size
        self._last = max(at, self._last + 1)
        before = rings.size
        rings.add(channel, Entry(self._last, payload), share=self._share)
        self.size += rings.size - before
        if self.size > self._budget:
            self._trim()

    def told(self, bot: str, channel: str, *, limit: int, after: int | None = None) -> list[Entry]:
        """The latest messages of a channel, oldest first; with ``after`` the first ones that came after that."""
        rings = self._bots.get(bot)
        entries: Iterable[Entry] = () if rings is None else rings.of(channel)
        if after is None:
            return list(entries)[-limit:]
        return [entry for entry in entries if entry.at > after][:limit]

    def forget(self, bot: str) -> None:
        """Keep nothing more of a bot."""
        rings = self._bots.pop(bot, None)
        self.size -= 0 if rings is None else rings.size

    @property
    def _share(self) -> int:
        return self._budget // len(self._bots)

    def _trim(self) -> None:
        """Others came, and each has a smaller share now."""
        share = int(self._share * _AFTER_TRIMMING)
        for rings in self._bots.values():
            before = rings.size
            rings.trim(share)
            self.size += rings.size - before
