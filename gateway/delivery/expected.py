"""Which bots are expected to receipt a signal: those that its source names, else those whose card asks for it.

A bot whose handlers come and go is expected for what it asked for within a day, too: its handler may come for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gateway.journal.model import FORMER, KnownBot, Waiting
from gateway.mqtt.filters import matches

FORGOTTEN_AFTER = 7 * 86_400_000_000
"""Microseconds after which a bot that is absent is expected no more."""

_MOST_TOPICS = 10_000


class Expected:
    """Knows the bots by their cards, and the sources by what they name.

    Args:
        named: by source, the bots that its configuration names; a source that names none has no entry.
        limited: by bot, the sources that its login may read; a bot whose login may read all has none, or no entry.
        clock: microseconds since the epoch.
    """

    def __init__(
        self,
        named: Mapping[str, tuple[str, ...]],
        *,
        limited: Callable[[], Mapping[str, tuple[str, ...]]],
        clock: Callable[[], int],
    ) -> None:
        self._named = named
        self._limited = limited
        self._clock = clock
        self._bots: Mapping[str, KnownBot] = {}
        self._wanting: dict[str, tuple[str, ...]] = {}
        self._listening: dict[str, tuple[str, ...]] = {}
        self._asked: dict[str, tuple[tuple[str, int], ...]] = {}
        self._coming_and_going: tuple[KnownBot, ...] = ()

    def learn(self, bots: Iterable[KnownBot]) -> None:
        """Take all bots as their cards show them now."""
        self._bots = {bot.name: bot for bot in bots}
        self._coming_and_going = tuple(bot for bot in self._bots.values() if bot.former)
        self._forget_topics()

    @property
    def online(self) -> tuple[str, ...]:
        """The bots that are there, by their cards."""
        return tuple(name for name, bot in self._bots.items() if bot.absent_since is None)

    def of(self, row: Waiting) -> tuple[str, ...]:
        """The bots that must receipt a row; none for one whose receiver has no memory."""
        if row.once:
            return ()
        return self._named.get(row.source) or self._known((*self._wants(row), *self._wanted(row)))

    def idle(self, row: Waiting) -> tuple[str, ...]:
        """The bots that are online, may read a row's source, and ask for nothing at all now."""
        return tuple(bot.name for bot in self._may_read(row.source) if bot.absent_since is None and not bot.filters)

    def lacking(self, row: Waiting) -> tuple[str, ...]:
        """The bots that are online and listen to a row's topic; of one that was published, those that are awaited."""
        if row.once:
            return ()
        listening = self._listen(row)
        return tuple(bot for bot in listening if bot in row.awaiting) if row.awaiting else listening

    def _listen(self, row: Waiting) -> tuple[str, ...]:
        bots = self._listening.get(row.topic)
        if bots is None:
            wanting = self._wants(row)
            bots = self._listening[row.topic] = tuple(b for b in wanting if self._bots[b].absent_since is None)
        return bots

    def _known(self, bots: tuple[str, ...]) -> tuple[str, ...]:
        long_ago = self._clock() - FORGOTTEN_AFTER
        return tuple(bot for bot in bots if (self._bots[bot].absent_since or long_ago + 1) > long_ago)

    def _wants(self, row: Waiting) -> tuple[str, ...]:
        bots = self._wanting.get(row.topic)
        if bots is None:
            if len(self._wanting) >= _MOST_TOPICS:
                self._forget_topics()
            bots = self._wanting[row.topic] = tuple(bot.name for bot in self._may_read(row.source) if _asks(bot, row))
        return bots

    def _wanted(self, row: Waiting) -> Iterator[str]:
        """The bots that asked for a row's topic within a day, and do not now."""
        asked = self._asked.get(row.topic)
        if asked is None:
            asked = self._asked[row.topic] = tuple(self._asked_for(row))
        long_ago = self._clock() - FORMER
        return (bot for bot, at in asked if at > long_ago)

    def _asked_for(self, row: Waiting) -> Iterator[tuple[str, int]]:
        """Who asked for a row's topic, and does not now, each with when it last did."""
        for bot in self._reading(self._coming_and_going, row.source):
            lost = [at for one, at in bot.former.items() if matches(one, row.topic)]
            if lost and not _asks(bot, row):
                yield bot.name, max(lost)

    def _forget_topics(self) -> None:
        for known in (self._wanting, self._listening, self._asked):
            known.clear()

    def _may_read(self, source: str) -> Iterator[KnownBot]:
        """The bots that get the signals of a source, whatever their cards ask for."""
        return self._reading(self._bots.values(), source)

    def _reading(self, bots: Iterable[KnownBot], source: str) -> Iterator[KnownBot]:
        limited = self._limited()
        for bot in bots:
            sources = limited.get(bot.name)
            if not sources or source in sources:
                yield bot


def _asks(bot: KnownBot, row: Waiting) -> bool:
    return any(matches(one, row.topic) for one in bot.filters)
