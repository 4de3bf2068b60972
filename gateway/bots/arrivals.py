"""Which bots are surely there, so that what they can get only once may be sent to them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

FRESH = 12.0
"""Seconds after a heartbeat in which a bot is sure enough to be there: they come every 10 s."""

SETTLE = 2.0
"""Seconds after its first heartbeat in which a bot starts its strategy: a stock bot connects, beats, and only then,
0.2 s later or more, has somebody who listens to its events."""


@dataclass(slots=True)
class _Arrival:
    """A bot that beats: when it did last, since when it has been there, and whether that was told."""

    beat: float
    since: float
    told: bool = False


class Arrivals:
    """The bots that beat. Seconds are a timer's that never goes back."""

    def __init__(self) -> None:
        self._bots: dict[str, _Arrival] = {}

    def beat(self, bot: str, *, timer: float) -> None:
        """Take a heartbeat; after a silence the bot is taken for one that comes."""
        known = self._bots.get(bot)
        if known is None or timer - known.beat > FRESH:
            self._bots[bot] = _Arrival(timer, timer)
        else:
            known.beat = timer

    def online(self, bot: str, *, timer: float) -> None:
        """A bot says that it connected: it may be another process."""
        known = self._bots.get(bot)
        if known is not None:
            known.since, known.told = timer, False

    def gone(self, bot: str) -> None:
        """A bot left, or its connection ended."""
        self._bots.pop(bot, None)

    def clear(self) -> None:
        """Nobody is there until heard again: the broker may have lost all connections."""
        self._bots.clear()

    def present(self, bot: str, *, timer: float) -> bool:
        """Whether a bot is there: it beat lately, and ``come`` told of it."""
        known = self._bots.get(bot)
        return known is not None and known.told and timer - known.beat <= FRESH

    def come(self, *, timer: float) -> list[str]:
        """The bots that are there from now on."""
        come = []
        for bot, known in list(self._bots.items()):
            if timer - known.beat > FRESH:
                del self._bots[bot]
            elif not known.told and timer - known.since >= SETTLE:
                known.told = True
                come.append(bot)
        return come
