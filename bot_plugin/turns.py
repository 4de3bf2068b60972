"""Callbacks of one source and instrument run one at a time: a slow "go flat" never meets a new entry."""

from __future__ import annotations

from asyncio import Event
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from bot_plugin.registration import ANY
from bot_plugin.signal import Signal


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What a callback is called for.

    Args:
        source: a source's name, or ``*``.
        pair: as Hummingbot spells it; None for every one.
        key: the partition key, where it is known.
    """

    source: str
    pair: str | None = None
    key: str | None = None
    ended: Event = field(default_factory=Event)

    @classmethod
    def of(cls, signal: Signal) -> Self:
        """The turn of a signal."""
        return cls(signal.source, signal.pair, signal.key)

    def meets(self, other: Turn) -> bool:
        """Whether both may be about one instrument of one source."""
        if self.key is not None and other.key is not None:
            return self.key == other.key
        one_source = ANY in {self.source, other.source} or self.source == other.source
        return one_source and (None in {self.pair, other.pair} or self.pair == other.pair)


class Turns:
    """Who comes first is called first. Signals wait for stale calls alone: those of a key follow one another anyhow."""

    def __init__(self) -> None:
        self._signals: dict[Turn, None] = {}
        self._stale: dict[Turn, None] = {}

    @asynccontextmanager
    async def signal(self, signal: Signal) -> AsyncIterator[None]:
        """Wait for the stale calls that came before, and hold the turn while the block lasts."""
        turn = Turn.of(signal)
        before = [other for other in self._stale if other.meets(turn)]
        self._signals[turn] = None
        try:
            for other in before:
                await other.ended.wait()
            yield
        finally:
            del self._signals[turn]
            turn.ended.set()

    @asynccontextmanager
    async def stale(self, turn: Turn) -> AsyncIterator[None]:
        """Wait for all that came before, and hold the turn while the block lasts."""
        before = [other for other in (*self._signals, *self._stale) if other.meets(turn)]
        self._stale[turn] = None
        try:
            for other in before:
                await other.ended.wait()
            yield
        finally:
            del self._stale[turn]
            turn.ended.set()
