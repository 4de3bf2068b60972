"""How far a bot's clock is ahead of the gateway's: an interval that holds the truth, from messages that take time.

What a bot stamped cannot have arrived before it was stamped, and what the gateway accepted cannot have reached a bot
before that. Delays are never negative, so the smallest difference of each kind is a bound, however slow the broker is.
Unlike NTP (RFC 5905, section 8) nothing is assumed of the way back: each bound stands alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

NOTABLE = 2_000_000
"""Microseconds by which two clocks may differ before anything is said of it."""

SPAN = 300.0
"""Seconds that samples are gathered in; those of the span before count too, and older ones are forgotten."""

DRIFT = 300_000
"""Microseconds that two clocks drift apart while a sample counts: twice SPAN at 500 ppm, as fast as Linux slews one."""

_CLOSE = 1_000_000
"""Microseconds that the bounds may be apart for their middle to be told: it is half of that off at most."""

_FAR = 1 << 62


class Verdict(IntEnum):
    """What is proven of a bot's clock."""

    BEHIND = -1
    NOTHING = 0
    AHEAD = 1


@dataclass(frozen=True, slots=True)
class Offset:
    """A bot's clock minus the gateway's lies between the two, in microseconds; None where that side is not known."""

    least: int | None = None
    most: int | None = None

    @property
    def estimate(self) -> int | None:
        """The middle where the two are close, or prove the clock to be off, or the bound that does; else None."""
        if self.least is None or self.most is None:
            return (self.most if self.least is None else self.least) if self.verdict else None
        close = self.most - self.least <= _CLOSE
        return (self.least + self.most) // 2 if close or self.verdict else None

    @property
    def verdict(self) -> Verdict:
        """Whether the clock is notably off, beyond doubt."""
        if self.least is not None and self.least > NOTABLE:
            return Verdict.AHEAD
        if self.most is not None and self.most < -NOTABLE:
            return Verdict.BEHIND
        return Verdict.NOTHING

    @property
    def agrees(self) -> bool:
        """Whether the clock is right, beyond doubt."""
        return self.least is not None and self.most is not None and self.least >= -NOTABLE and self.most <= NOTABLE

    @property
    def problem(self) -> str | None:
        """How the clock is off, for a person, after the bot's name; None where that is not proven."""
        if not self.verdict or self.estimate is None:
            return None
        side = "ahead of" if self.verdict is Verdict.AHEAD else "behind"
        return f"clock is {abs(self.estimate) / 1e6:.1f} s {side} the gateway's"


class BotClock:
    """The offset of one bot, from the samples of the last 5 to 10 minutes.

    Samples that contradict each other prove that a clock was set: then only the last one counts.
    """

    __slots__ = ("_began", "_earlier", "_least", "_most", "told")

    def __init__(self) -> None:
        self.told = Verdict.NOTHING
        self._began = float("-inf")
        self._least, self._most = -_FAR, _FAR
        self._earlier = (-_FAR, _FAR)

    def observe(self, *, least: int | None = None, most: int | None = None, timer: float) -> bool:
        """Take a sample: bounds in microseconds, at the second of a timer that never goes back; whether it is news."""
        turned = timer - self._began >= SPAN
        if turned:
            self._turn(timer)
        low = -_FAR if least is None else least
        high = _FAR if most is None else most
        if not turned and low <= self._least and high >= self._most:
            return False
        self._take(low, high)
        return True

    def offset(self, *, timer: float) -> Offset:
        """What is known now; at once after a sample, or when nothing came for a while."""
        if timer - self._began >= SPAN:
            self._turn(timer)
        least, most = self._bounds()
        return Offset(None if least == -_FAR else least - DRIFT, None if most == _FAR else most + DRIFT)

    def _take(self, low: int, high: int) -> None:
        self._least, self._most = max(self._least, low), min(self._most, high)
        least, most = self._bounds()
        if least - most > DRIFT:
            self._forget()
            if low - high <= DRIFT:
                self._least, self._most = low, high

    def _bounds(self) -> tuple[int, int]:
        least, most = self._earlier
        return max(self._least, least), min(self._most, most)

    def _turn(self, timer: float) -> None:
        """Begin the next span; it begins where the last one ended, so that no sample counts for longer than two."""
        recent = timer - self._began < 2 * SPAN
        earlier = (self._least, self._most)
        self._forget()
        self._began = self._began + SPAN if recent else timer
        if recent:
            self._earlier = earlier

    def _forget(self) -> None:
        self._least, self._most = -_FAR, _FAR
        self._earlier = (-_FAR, _FAR)
