"""What the journal answers where receipts came, or did not come in time."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A row that ended without all its receipts.

    Args:
        id: the signal's.
        bots: those that did not answer.
        handled: whether another bot handled it.
    """

    id: str
    source: str
    instrument: str
    effect: str
    bots: tuple[str, ...]
    handled: bool = False


@dataclass(frozen=True, slots=True)
class Unhandled:
    """A new receipt of a bot that did not do what a signal asks, and of what the signal is."""

    receipt: Receipt
    source: str
    instrument: str
    effect: str

    @property
    def id(self) -> str:
        """The signal's."""
        return self.receipt.signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What became of receipts that came.

    Args:
        unknown: how many were of signals that are not known (any more), and so are not stored.
        surplus: how many were not stored, as their bot sent as many for the signal as are kept.
        settled: the sources of the rows that have all their receipts now.
        unhandled: the new ones that say that their signal was not handled.
    """

    unknown: int = 0
    surplus: int = 0
    settled: tuple[str, ...] = ()
    unhandled: tuple[Unhandled, ...] = ()
