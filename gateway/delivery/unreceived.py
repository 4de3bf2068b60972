"""What each bot was sent and has not receipted: a window, so that a slow bot's queue at the broker never overruns.

Mosquitto silently drops what it would queue for one client beyond 1,000 messages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.journal.model import Lane, Waiting

_HELD_LONG = 1.0
"""Seconds that a row is held before a bot may get it beyond its window, up to twice as many: half of what Mosquitto
queues."""


class Sign(NamedTuple):
    """What a receipt tells besides itself.

    Args:
        room: whether there is room in the bot's window again, for half of it, or the bot answers after a silence.
        again: whether something that the bot has not received was left out for want of room, or of an answer.
        gap: a lane of which the bot has this signal and has not receipted an earlier one: its id.
    """

    room: bool = False
    again: bool = False
    gap: str | None = None


_NOTHING = Sign()


@dataclass(slots=True)
class _Window:
    """What one bot has not receipted, in the order in which it was sent.

    Args:
        lanes: the lane of each signal.
        sent: by lane, the timer's second of each signal.
        silent: whether it left a signal without a receipt for too long.
    """

    lanes: dict[str, Lane] = field(default_factory=dict)
    sent: dict[Lane, dict[str, float]] = field(default_factory=dict)
    silent: bool = False

    def add(self, row: Waiting, *, at: float) -> None:
        self.remove(row.id)
        self.lanes[row.id] = row.lane
        self.sent.setdefault(row.lane, {})[row.id] = at

    def remove(self, signal: str) -> str | None:
        """Take a signal out; the id of an earlier one of its lane that is still in."""
        lane = self.lanes.pop(signal, None)
        if lane is None:
            return None
        waiting = self.sent[lane]
        earliest = next(iter(waiting))
        del waiting[signal]
        if not waiting:
            del self.sent[lane]
        return None if earliest == signal else earliest

    def oldest(self) -> float | None:
        return next(iter(self.sent[next(iter(self.lanes.values()))].values())) if self.lanes else None


class Unreceived:
    """The windows of the bots that are online.

    Args:
        window: signals that a bot may have been sent without a receipt.
        patience: seconds after which a bot that sent no receipt for a signal holds nobody up, until it sends one again.
        timer: seconds that never go back.
    """

    def __init__(self, *, window: int, patience: float, timer: Callable[[], float]) -> None:
        self._window = window
        self._patience = patience
        self._timer = timer
        self._bots: dict[str, _Window] = {}

    def online(self, bots: Iterable[str]) -> None:
        """Take the bots that are online; a bot that is not named has no window."""
        self._bots = {bot: self._bots.get(bot) or _Window() for bot in bots}

    def forget(self, bots: Iterable[str]) -> None:
        """Begin the windows of bots anew: what was in them is going to be sent again, or they are other processes."""
        for bot in bots:
            if bot in self._bots:
                self._bots[bot] = _Window()

    def full(self, bots: Iterable[str], *, held_for: float = 0.0) -> str | None:
        """A bot, of those that are to get one more, where none of them has room for it; None where one has.

        What one bot has no room for must not be kept from another: its broker queues it, and may drop it. So a bot's
        window may stay full for what others get; what it alone lacks, and was held for a while, goes beyond it.
        """
        first, room = None, self._window if held_for < _HELD_LONG else 2 * self._window
        for bot in bots:
            window = self._bots.get(bot)
            if window is not None and not window.silent:
                if len(window.lanes) < room:
                    return None
                first = first or bot
        return first

    def reaches(self, bots: Collection[str]) -> bool:
        """Whether sending something again to one of the bots is of use: a silent one is only tried within a window."""
        there = [window for bot in bots if (window := self._bots.get(bot)) is not None]
        return any(not window.silent or len(window.lanes) < self._window for window in there)

    def sent(self, row: Waiting, bots: Iterable[str]) -> None:
        """Count a row that is on its way to bots."""
        now = self._timer()
        for bot in bots:
            self._bots[bot].add(row, at=now)

    def not_sent(self, row: Waiting) -> None:
        """Take back a row that the broker did not take."""
        for window in self._bots.values():
            window.remove(row.id)

    def received(self, bot: str, signal: str) -> Sign:
        """Take a receipt."""
        window = self._bots.get(bot)
        if window is None:
            return _NOTHING
        answers_again, window.silent = window.silent, False
        before = len(window.lanes)
        gap = window.remove(signal)
        room = answers_again or before > len(window.lanes) == self._window // 2
        if not room and gap is None:
            return _NOTHING
        return Sign(room, answers_again, gap)

    def lacks(self, bot: str, signal: str) -> Lane | None:
        """The lane of a signal that a bot was sent and has not receipted; None where it has."""
        window = self._bots.get(bot)
        return None if window is None else window.lanes.get(signal)

    def count(self, bot: str) -> int:
        """How many signals a bot was sent and has not receipted."""
        window = self._bots.get(bot)
        return 0 if window is None else len(window.lanes)

    def overdue(self) -> list[str]:
        """Bots that left a signal without a receipt for too long: it is to be sent again, and nobody waits for them."""
        end = self._timer() - self._patience
        late = [bot for bot, window in self._bots.items() if (oldest := window.oldest()) is not None and oldest < end]
        for bot in late:
            self._bots[bot] = _Window(silent=True)
        return late
