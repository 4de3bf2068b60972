"""The bots, as delivery sees them: who must receipt a row, who is there to get it, and who has had enough for now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from gateway.delivery.expected import Expected
from gateway.delivery.unreceived import Sign, Unreceived
from gateway.journal.model import KnownBot, Lane, Waiting

_NAMED = 3
"""Bots that a reason names."""


class Audience:
    """Asked about each row before it is published, and told of each that was.

    Args:
        named: by source, the bots that its configuration names.
        stock: the sources that name stock bots.
        limited: by bot, the sources that its login may read, where not all.
        window: signals that a bot may have been sent without a receipt.
        patience: seconds after which a bot that sent no receipt for a signal holds nobody up.
        clock: microseconds since the epoch.
        timer: seconds that never go back.
    """

    def __init__(
        self,
        named: Mapping[str, tuple[str, ...]],
        *,
        stock: Collection[str] = (),
        limited: Callable[[], Mapping[str, tuple[str, ...]]],
        window: int,
        patience: float,
        clock: Callable[[], int],
        timer: Callable[[], float],
    ) -> None:
        self._stock = stock
        self._expected = Expected(named, limited=limited, clock=clock)
        self._unreceived = Unreceived(window=window, patience=patience, timer=timer)

    @property
    def online(self) -> tuple[str, ...]:
        """The bots that are there, by their cards."""
        return self._expected.online

    def learn(self, bots: Iterable[KnownBot], *, came: Collection[str]) -> None:
        """Take all bots as their cards show them now; the windows of those that came are empty."""
        self._expected.learn(bots)
        self._unreceived.online(self._expected.online)
        self._unreceived.forget(came)

    def begin_again(self) -> tuple[str, ...]:
        """Empty all windows, as what was in them may be lost; the bots that are to get it again."""
        self._unreceived.forget(self.online)
        return self.online

    def awaited(self, row: Waiting) -> tuple[str, ...]:
        """The bots that must receipt a row."""
        return self._expected.of(row)

    def misses(self, row: Waiting) -> bool:
        """Whether somebody misses a row that nobody heard: what stock bots get may have no other reader."""
        return row.once or row.source not in self._stock or bool(self.awaited(row))

    def nobody_listens(self, row: Waiting) -> str:
        """Say so of a row, with the bots that would get it if they asked for something."""
        idle = self._expected.idle(row)
        more = f" and {len(idle) - _NAMED} more" if len(idle) > _NAMED else ""
        there = f"; online, and asking for nothing now: {', '.join(idle[:_NAMED])}{more}" if idle else ""
        return f"nobody listens to {row.topic}{there}"

    def full(self, row: Waiting, *, held_for: float) -> str | None:
        """A bot that would get a row, which was held for seconds, where none has room for it; None where one has."""
        return self._unreceived.full(self._expected.lacking(row), held_for=held_for)

    def reaches(self, row: Waiting, *, passed: set[str]) -> bool:
        """Whether a published row is of use to a bot that is there.

        Args:
            row: what a bot has not receipted.
            passed: bots that get nothing more of its lane, in order that they get it in its order; added to.
        """
        bots = [bot for bot in self._expected.lacking(row) if bot not in passed]
        if bots and self._unreceived.reaches(bots):
            return True
        passed.update(bots)
        return False

    def sent(self, row: Waiting) -> None:
        """Count a row that is on its way."""
        self._unreceived.sent(row, self._expected.lacking(row))

    def not_sent(self, row: Waiting) -> None:
        """Take back a row that the broker did not take."""
        self._unreceived.not_sent(row)

    def received(self, bot: str, signal: str) -> Sign:
        """Take a receipt."""
        return self._unreceived.received(bot, signal)

    def lacks(self, bot: str, signal: str) -> Lane | None:
        """The lane of a signal that a bot was sent and has not receipted; None where it has."""
        return self._unreceived.lacks(bot, signal)

    def unreceived(self, bot: str) -> int:
        """How many signals a bot was sent and has not receipted."""
        return self._unreceived.count(bot)

    def overdue(self) -> list[str]:
        """Bots that left a signal without a receipt for too long."""
        return self._unreceived.overdue()
