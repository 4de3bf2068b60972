"""Cards: which bots are there, by what they say of themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.telemetry import Telemetry
from schemas.card import BotCard, BotCardSchema, Presence
from schemas.envelope import BOT_CARD, decode
from schemas.errors import ContractError
from schemas.record import load
from schemas.topics import NamedTopic, TopicError, Topics

_MOST = 10_000
_INSTANCE = 64
"""Characters of an instance that are compared."""

_FILTERS = 100
"""Topic filters of a bot that are looked at."""


class Cards:
    """Knows which bots are online, and what they listen to.

    ``on_change`` gets the topic filters of each bot that is online: at once when one came, left, is another process or
    listens to other things, and again at the end of each ``every`` seconds in which more changed.
    """

    def __init__(
        self,
        *,
        topics: Topics,
        telemetry: Telemetry,
        on_change: Callable[[Mapping[str, tuple[str, ...]]], None],
        every: float = 1.0,
    ) -> None:
        self._topics = topics
        self._telemetry = telemetry
        self._on_change = on_change
        self._every = every
        self._online: dict[str, _Online] = {}
        self._pausing = False
        self._changed = False

    async def take(self, topic: str, payload: bytes) -> None:
        """Handle one message of the cards' filter."""
        try:
            card = _read(topic, payload, topics=self._topics)
        except (ContractError, TopicError) as error:
            self._telemetry.unreadable_card(topic=topic, problem=str(error))
            return
        if card.presence is Presence.OFFLINE and card.bot in self._online:
            del self._online[card.bot]
            self._tell()
        elif card.presence is Presence.ONLINE and (card.bot in self._online or len(self._online) < _MOST):
            online = _Online(card.instance[:_INSTANCE], card.subscriptions[:_FILTERS])
            if self._online.get(card.bot) != online:
                self._online[card.bot] = online
                self._tell()

    def forget(self) -> None:
        """The connection was lost: who is online is not known any more."""
        self._online.clear()

    def _tell(self) -> None:
        self._changed = True
        if not self._pausing:
            self._call()

    def _call(self) -> None:
        self._pausing, self._changed = self._changed, False
        if self._pausing:
            asyncio.get_running_loop().call_later(self._every, self._call)
            self._on_change({bot: online.filters for bot, online in self._online.items()})


@dataclass(frozen=True, slots=True)
class _Online:
    instance: str
    filters: tuple[str, ...]


def _read(topic: str, payload: bytes, *, topics: Topics) -> BotCard:
    place = topics.parse(topic)
    envelope = decode(payload)
    card: BotCard = load(BotCardSchema, envelope.data)
    if envelope.type != BOT_CARD or not isinstance(place, NamedTopic) or card.bot != place.name:
        raise TopicError(f"a card of {card.bot!r} on {topic!r}: a bot may write its own card only")
    return card
