"""What somebody is told: a problem, what it is about, and whether it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of problems, the worst first."""

    REDUCE_EXPIRED = "reduce_expired"
    """An exit that no bot did: the worst loss there is."""
    JOURNAL_UNWRITABLE = "journal_unwritable"
    BROKER_AWAY = "broker_away"
    BOT_DEAD = "bot_dead"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DENIED = "denied"
    DEAD = "dead"
    UNANSWERED = "unanswered"
    REFUSED = "refused"
    SOURCE_SILENT = "source_silent"
    RETAINED_FOUND = "retained_found"
    """A prediction that a broker gives to every bot that connects, however old it is."""
    BOT_NOTIFIED = "bot_notified"
    """No problem, but a bot's own words to its operator."""

    @property
    def lasts(self) -> bool:
        """Whether it goes on until it is reported to be over; the others happen, and may happen again."""
        return self in _LASTING

    @property
    def words(self) -> str:
        """As it is called in a sentence."""
        return self.value.replace("_", " ")


_LASTING = frozenset({Kind.JOURNAL_UNWRITABLE, Kind.BROKER_AWAY, Kind.BOT_DEAD, Kind.SOURCE_SILENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem, or the end of one.

    Args:
        subject: who or what has it, ``bot demo``; with the kind it is what makes two of them the same.
        text: what happened, for a person. It may hold what a stranger wrote.
        at: microseconds since the epoch.
        over: whether it is the end of what was reported before.
        moot: with ``over``: that it is of no interest any more, so that nobody is told of the end.
        source: the source that it concerns; None for none.
        bots: the bots that it concerns.
        signal: the id of the signal that it concerns; empty for none.
    """

    kind: Kind
    subject: str
    text: str
    at: int
    over: bool = False
    moot: bool = False
    source: str | None = None
    bots: tuple[str, ...] = ()
    signal: str = ""
