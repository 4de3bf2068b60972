"""What each bot was sent and has not receipted: a window, so that a slow bot's queue at the broker never overruns.

Mosquitto silently drops what it would queue for one client beyond 1,000 messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gateway.journal.model import Waiting
from gateway.mqtt.filters import matches

_MOST_TOPICS = 10_000


class Unreceived:
    """Windows of the bots that are online, by their cards.

    Args:
        window: signals that a bot may have been sent without a receipt.
        patience: seconds after which a signal without a receipt no longer counts.
        timer: seconds that never go back.
    """

    def __init__(self, *, window: int, patience: float, timer: Callable[[], float]) -> None:
        self._window = window
        self._patience = patience
        self._timer = timer
        self._filters: Mapping[str, tuple[str, ...]] = {}
        self._sent: dict[str, dict[str, float]] = {}
        self._bots: dict[str, tuple[str, ...]] = {}
        self._silent: set[str] = set()

    def listeners(self, filters: Mapping[str, tuple[str, ...]]) -> None:
        """Take the topic filters of each bot that is online; a bot that is not named has no window."""
        self._filters = filters
        self._sent = {bot: self._sent.get(bot, {}) for bot in filters}
        self._silent &= filters.keys()
        self._bots.clear()

    def has_room(self, row: Waiting) -> bool:
        """Whether every bot that listens to the row's topic has room for one more."""
        return all(len(self._sent[bot]) < self._window for bot in self._listening(row))

    def sent(self, row: Waiting) -> None:
        """Count a row that is on its way."""
        now = self._timer()
        for bot in self._listening(row):
            self._sent[bot][row.id] = now

    def not_sent(self, row: Waiting) -> None:
        """Take back a row that the broker did not take."""
        for sent in self._sent.values():
            sent.pop(row.id, None)

    def received(self, bot: str, signal: str) -> bool:
        """Take a receipt; whether the bot has, from now on, room again for half a window."""
        self._silent.discard(bot)
        sent = self._sent.get(bot)
        if sent is None or sent.pop(signal, None) is None:
            return False
        return len(sent) == self._window // 2

    def forget_old(self) -> None:
        """A bot that left a signal without a receipt for too long holds nobody up until it sends one again."""
        end = self._timer() - self._patience
        for bot, sent in self._sent.items():
            if sent and next(iter(sent.values())) < end:
                self._silent.add(bot)
                sent.clear()

    def _listening(self, row: Waiting) -> Iterator[str]:
        if row.once:
            return iter(())
        bots = self._bots.get(row.topic)
        if bots is None:
            if len(self._bots) >= _MOST_TOPICS:
                self._bots.clear()
            bots = self._bots[row.topic] = tuple(
                bot for bot, filters in self._filters.items() if any(matches(one, row.topic) for one in filters)
            )
        return (bot for bot in bots if bot not in self._silent)
