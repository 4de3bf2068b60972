"""What a client knows of a bot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.card import BotCard, Presence


class Profile(StrEnum):
    """What kind of bot it is, as far as its words show."""

    PLUGIN = "plugin"
    """It shows a card: it carries this project's plugin."""
    STOCK = "stock"
    """It shows none: a Hummingbot as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """A bot as it was seen.

    Args:
        alive: whether it gave a sign within the last 30 s and did not say goodbye; of one with a card and without
            heartbeats, what the card says.
        gone: whether its last word was that it goes offline, its last will included.
        last_seen: when its last sign of life arrived, by this machine's clock; None where only a card of earlier is
            there, or nothing.
        silent_for: seconds since then.
        card: what it says of itself; None for a stock bot.
    """

    name: str
    alive: bool = False
    gone: bool = False
    last_seen: datetime | None = None
    silent_for: float | None = None
    card: BotCard | None = None

    @property
    def profile(self) -> Profile:
        """Whether it carries the plugin."""
        return Profile.PLUGIN if self._carded else Profile.STOCK

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that its card says it takes, by what follows the bot in their topics."""
        return self.card.commands if self.card is not None and self._carded else ()

    def serves(self, command: str) -> bool:
        """Whether the plugin answers this command, which says *done* of nothing that is not."""
        return command in self.commands

    @property
    def _carded(self) -> bool:
        """Whether the card is this bot's: one that says offline, of a bot that is alive, is left from an earlier."""
        return self.card is not None and not (self.alive and self.card.presence is Presence.OFFLINE)
