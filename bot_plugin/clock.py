"""What this bot knows of the gateway's clock: each message says when it was written, and no message comes before that.

The smallest difference between arrival and writing is never less than the true one, as delays are positive. So it
proves a bot's clock that is behind, and only suggests one that is ahead: that, or every message took as long.
"""

from __future__ import annotations

from collections import deque

NOTABLE = 2_000_000
"""Microseconds by which two clocks may differ before anything is said of it."""

_SPAN = 60_000_000
_SPANS = 10
_SETTLE = 5_000_000
"""Microseconds of listening before a bot's clock counts as ahead: what the broker queued for an absent bot is old."""


class GatewayClock:
    """A bound on the gateway's clock, from the messages of the last 10 minutes.

    It is kept against the monotonic clock: where the bot's own is set, the difference is known anew at once. All times
    are microseconds; ``now`` is the bot's clock, since the epoch, and ``monotonic`` the one that nobody sets.
    """

    def __init__(self) -> None:
        self._spans: deque[tuple[int, int]] = deque()
        self._smallest = 0
        self._since = 0
        self._told = 0

    def observe(self, written: int, *, monotonic: int) -> None:
        """Learn from a message of the gateway, as it arrives, when the gateway's clock said that it was written."""
        difference, span = monotonic - written, monotonic // _SPAN
        if not self._spans or self._spans[-1][0] != span:
            self._begin(span, difference, monotonic=monotonic)
        elif difference < self._spans[-1][1]:
            self._spans[-1] = span, difference
            self._smallest = min(self._smallest, difference)

    def latest(self, *, now: int, monotonic: int) -> int:
        """The later of the bot's clock and what the gateway's shows at least."""
        return max(now, monotonic - self._smallest) if self._spans else now

    def offset(self, *, now: int, monotonic: int) -> int:
        """How far the bot's clock is ahead, at most; a negative one is behind by so much at least. 0 where unknown."""
        if not self._spans:
            return 0
        offset = now - monotonic + self._smallest
        return offset if offset < 0 or monotonic - self._since >= _SETTLE else 0

    def news(self, *, now: int, monotonic: int) -> str | None:
        """What to warn of, once for each change; called about every second."""
        offset = self.offset(now=now, monotonic=monotonic)
        if abs(offset - self._told) <= NOTABLE // 2 or (abs(offset) <= NOTABLE and not self._told):
            return None
        wrong = skew(offset)
        self._told = offset if wrong else 0
        if wrong is None:
            return "the clocks of this bot and of the gateway agree again"
        return f"{wrong}: {_BEHIND if offset < 0 else _AHEAD}; let NTP set the clocks of both machines"

    def _begin(self, span: int, difference: int, *, monotonic: int) -> None:
        while self._spans and self._spans[0][0] <= span - _SPANS:
            self._spans.popleft()
        if not self._spans:
            self._since = monotonic
        self._spans.append((span, difference))
        self._smallest = min(smallest for _, smallest in self._spans)


_BEHIND = "a signal whose time is more than 5 s ahead of it is refused, and expiries are checked by the gateway's"
_AHEAD = "signals expire here before their time"


def skew(offset: int) -> str | None:
    """Name a difference of the clocks (microseconds, as ``GatewayClock.offset``); None where it is not notable."""
    if abs(offset) <= NOTABLE:
        return None
    if offset < 0:
        return f"this bot's clock is {-offset / 1e6:.1f} s behind the gateway's"
    return f"this bot's clock is {offset / 1e6:.1f} s ahead of the gateway's, unless every message takes that long"
