"""Which bots are there: from heartbeats, availability and cards; what others publish makes no bot look alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bot_plugin.client.bot import Bot
from bot_plugin.presence import decode_card
from bot_plugin.transport import Message
from schemas import telemetry
from schemas.card import BotCard, Presence
from schemas.errors import ContractError
from schemas.fields import from_micros
from schemas.topics import NamedTopic, TopicError, Topics

ALIVE_FOR = 30.0
"""Seconds that a sign of life counts: heartbeats come every 10 s."""

MOST = 10_000
"""Bots that are remembered; past it the one that is silent for longest is forgotten."""

CHANNELS = ("hb", "status_updates")


@dataclass(slots=True)
class _Seen:
    card: BotCard | None = None
    at: int | None = None
    heard: float | None = None
    beats: bool = False
    gone: bool = False


class Roster:
    """The bots that were seen on one connection.

    Args:
        topics: the topic tree.
        limit: the bots to listen to; empty for all.
        now: the clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, seconds.
    """

    def __init__(
        self, topics: Topics, *, limit: tuple[str, ...], now: Callable[[], int], monotonic: Callable[[], float]
    ) -> None:
        self._topics, self._limit, self._now, self._monotonic = topics, limit, now, monotonic
        self._seen: dict[str, _Seen] = {}
        self._changed = asyncio.Event()

    @property
    def filters(self) -> tuple[str, ...]:
        """What bots say of themselves is on these."""
        words = [word for channel in CHANNELS for word in telemetry_filters(self._topics, channel, self._limit)]
        cards = tuple(map(self._topics.bot, self._limit)) or (self._topics.every("bot"),)
        return (*cards, *words)

    def bots(self) -> tuple[Bot, ...]:
        """Every bot that was seen, by name."""
        return tuple(self.bot(name) for name in sorted(self._seen))

    def bot(self, name: str) -> Bot:
        """What is known of a bot, which may be nothing."""
        seen = self._seen.get(name, _Seen())
        silent = None if seen.heard is None else max(0.0, self._monotonic() - seen.heard)
        return Bot(
            name=name,
            alive=_alive(seen, silent),
            gone=seen.gone,
            last_seen=None if seen.at is None else from_micros(seen.at),
            silent_for=silent,
            card=seen.card,
        )

    async def alive(self, name: str, *, within: float) -> Bot:
        """Return when the bot is alive, or after ``within`` seconds."""
        try:
            async with asyncio.timeout(within):
                while not self.bot(name).alive:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self.bot(name)

    def take(self, message: Message) -> None:
        """Take notice of a message; what is none of these is left."""
        try:
            if message.topic.startswith(f"{self._topics.root}/"):
                place = self._topics.parse(message.topic)
                if isinstance(place, NamedTopic) and place.kind == "bot":
                    self._take_card(place.name, message)
            elif not message.retained:
                name, channel = self._topics.bot_of(message.topic)
                self._take_word(name, telemetry.read(channel, message.payload))
        except (TopicError, ContractError):
            return

    def _take_card(self, name: str, message: Message) -> None:
        card = decode_card(message.payload)
        if card is None or card.bot != name:
            if not message.payload and name in self._seen:
                self._seen[name].card = None
            return
        if card.presence is Presence.CLAIM:
            return
        seen = self._enter(name)
        seen.card = card
        if card.presence is Presence.OFFLINE:
            seen.gone = True
        elif not message.retained:
            self._live(seen)
        self._changed.set()

    def _take_word(self, name: str, word: telemetry.Telemetry) -> None:
        if not isinstance(word, telemetry.Heartbeat | telemetry.StatusUpdate):
            return
        seen = self._enter(name)
        seen.beats = True
        self._live(seen)
        seen.gone = isinstance(word, telemetry.StatusUpdate) and word.offline
        self._changed.set()

    def _enter(self, name: str) -> _Seen:
        seen = self._seen.pop(name, None) or _Seen()
        self._seen[name] = seen  # the last of them is the one that was heard last
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        return seen

    def _live(self, seen: _Seen) -> None:
        seen.at, seen.heard, seen.gone = self._now(), self._monotonic(), False


def telemetry_filters(topics: Topics, channel: str, bots: tuple[str, ...]) -> tuple[str, ...]:
    """What selects a channel of these bots; of all where there are none."""
    return tuple(topics.telemetry(bot, channel) for bot in bots) or (topics.every_telemetry(channel),)


def _alive(seen: _Seen, silent: float | None) -> bool:
    if seen.gone:
        return False
    if silent is not None and silent <= ALIVE_FOR:
        return True
    return not seen.beats and seen.card is not None and seen.card.presence is Presence.ONLINE
