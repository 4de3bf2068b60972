"""Whether a bot is alive: by its signs of life, how long ago the last one was, and how it went. Pure.

Time is what a timer of the gateway says when a message arrives: no bot's clock, and no clock that is set, can make a
dead bot look alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SILENCE = 30.0
"""Seconds without a sign of life after which a bot is dead, where it sends heartbeats: three that are missing."""

_NEVER = float("-inf")


class State(StrEnum):
    """How a bot is, as far as the gateway heard.

    UNKNOWN is who was not heard since the gateway started, or fell silent without ever having sent a heartbeat.
    """

    UNKNOWN = "unknown"
    ALIVE = "alive"
    LEFT = "left"
    DEAD = "dead"


class Sign(StrEnum):
    """A sign of life: what a bot publishes of its own accord, and only while it runs."""

    HEARTBEAT = "heartbeat"
    STATUS = "status"
    EVENT = "event"
    CARD = "card"


@dataclass(slots=True)
class Life:
    """What is known of one bot's life. Seconds are a timer's that never goes back, ``at`` is for people to read.

    Args:
        state: how it is.
        since: since when, microseconds since the epoch; None for never heard.
        seen_at: its last sign of life, likewise.
        seen_by: which one that was.
        quiet_since: the second since when nothing was heard of it.
        beats: whether it sends heartbeats.
        carded: whether it showed its card, which the broker takes back when it goes.
        told: whether somebody was told that it is dead.
    """

    state: State = State.UNKNOWN
    since: int | None = None
    seen_at: int | None = None
    seen_by: Sign | None = None
    quiet_since: float = _NEVER
    beats: bool = False
    carded: bool = False
    told: bool = False

    def sign(self, how: Sign, *, timer: float, at: int) -> bool:
        """Take a sign of life; whether the bot is back from a death that was told.

        What a bot that said goodbye still had to send is none: it must come again first.
        """
        if self.state is State.LEFT and how is Sign.EVENT:
            return False
        self._become(State.ALIVE, at=at)
        self.seen_at, self.seen_by, self.quiet_since = at, how, timer
        self.beats = self.beats or how is Sign.HEARTBEAT
        self.carded = self.carded or how is Sign.CARD
        back, self.told = self.told, False
        return back

    def leave(self, *, at: int) -> bool:
        """The bot said that it goes; whether somebody was told that it is dead, which is over."""
        self._become(State.LEFT, at=at)
        self._go()
        over, self.told = self.told, False
        return over

    def lose(self, *, timer: float, at: int) -> None:
        """The broker says that the bot's connection ended; it has as long as for a silence to come again."""
        if self.state is not State.LEFT:
            self._become(State.DEAD, at=at)
            self.quiet_since = timer
            self._go()

    def look(self, *, timer: float, listening_since: float, at: int) -> bool:
        """Look whether it was silent for too long; whether it is dead and nobody was told so far.

        Args:
            timer: now.
            listening_since: since when the gateway hears what the bots say; it cannot count silence from before.
            at: now, microseconds since the epoch.
        """
        if self.told or timer - max(self.quiet_since, listening_since) < SILENCE:
            return False
        if self.state is State.ALIVE and self.beats:
            self._become(State.DEAD, at=at)
        elif self.state is State.ALIVE and not self.carded:
            self._become(State.UNKNOWN, at=at)
        self.told = self.state is State.DEAD
        return self.told

    def _become(self, state: State, *, at: int) -> None:
        if self.state is not state:
            self.state, self.since = state, at

    def _go(self) -> None:
        self.beats = self.carded = False
