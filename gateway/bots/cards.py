"""Cards: which bots are there, by what they say of themselves."""

from __future__ import annotations

from collections.abc import Callable

from gateway.telemetry import Telemetry
from schemas.card import BotCard, BotCardSchema, Presence
from schemas.envelope import BOT_CARD, decode
from schemas.errors import ContractError
from schemas.record import load
from schemas.topics import NamedTopic, TopicError, Topics

_MOST = 10_000


class Cards:
    """The last card of each bot. ``on_online`` is called when a bot comes online: somebody may listen now."""

    def __init__(self, *, topics: Topics, telemetry: Telemetry, on_online: Callable[[], None]) -> None:
        self._topics = topics
        self._telemetry = telemetry
        self._on_online = on_online
        self._cards: dict[str, BotCard] = {}

    async def take(self, topic: str, payload: bytes) -> None:
        """Handle one message of the cards' filter."""
        try:
            card = _read(topic, payload, topics=self._topics)
        except (ContractError, TopicError) as error:
            self._telemetry.unreadable_card(topic=topic, problem=str(error))
            return
        if card.presence is Presence.CLAIM or (card.bot not in self._cards and len(self._cards) >= _MOST):
            return
        self._cards[card.bot] = card
        if card.presence is Presence.ONLINE:
            self._on_online()

    def all(self) -> tuple[BotCard, ...]:
        """The last card of each bot, by name."""
        return tuple(self._cards[bot] for bot in sorted(self._cards))


def _read(topic: str, payload: bytes, *, topics: Topics) -> BotCard:
    place = topics.parse(topic)
    envelope = decode(payload)
    card: BotCard = load(BotCardSchema, envelope.data)
    if envelope.type != BOT_CARD or not isinstance(place, NamedTopic) or card.bot != place.name:
        raise TopicError(f"a card of {card.bot!r} on {topic!r}: a bot may write its own card only")
    return card
