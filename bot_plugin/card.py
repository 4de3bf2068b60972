"""This process's card: shown at each connection and to whoever asks for the bot's name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from bot_plugin.presence import decode_card, encode_card
from bot_plugin.transport import REFUSED, Link, Message
from schemas.card import BotCard, Presence

log = logging.getLogger("bot_plugin.card")


class OwnCard:
    """The card of one run.

    Args:
        topic: where it is shown, retained.
        card: what it says.
        now: the bot's clock, microseconds since the epoch.
    """

    def __init__(self, link: Link, topic: str, card: BotCard, *, now: Callable[[], int]) -> None:
        self._link, self._topic, self.card, self._now = link, topic, card, now

    def show(self, presence: Presence) -> asyncio.Future[int] | None:
        """Publish it; the future is the broker's answer, None where it is away."""
        payload = encode_card(replace(self.card, presence=presence), now=self._now())
        try:
            published = self._link.publish(self._topic, payload, retain=True)
        except ConnectionError as error:
            log.warning("the card was not published: %s", error)
            return None
        published.add_done_callback(_say_refused)
        return published

    def see(self, message: Message) -> None:
        """Answer a process that asks for the name, and tell of one that uses it too."""
        card = decode_card(message.payload)
        if card is None or card.instance == self.card.instance or message.retained:
            return
        if card.presence is Presence.CLAIM:
            log.warning("another process asks for the name %r: answering that it is in use", self.card.bot)
            self.show(Presence.ONLINE)
        elif card.presence is Presence.ONLINE:
            log.error("another process uses the name %r too: instance %s", self.card.bot, card.instance)


def _say_refused(published: asyncio.Future[int]) -> None:
    if not published.cancelled() and published.exception() is None and published.result() >= REFUSED:
        log.error("the broker refuses this bot's card (reason %#x): it may not publish there", published.result())
