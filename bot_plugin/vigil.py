"""Sees, by the bot's own timer, that nothing is in force any more: also while the broker is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot_plugin.in_force import Heard, Newest, Stale, Watch
from bot_plugin.stale_calls import StaleCall, StaleCalls
from bot_plugin.turns import Turn

SETTLE = 10_000_000
"""Microseconds after the start, or after the watch came, in which a prediction may still come of those before."""

_Told = tuple[Watch, str]


class Vigil:
    """Looks about every second, and tells once for each silence.

    Args:
        heard: the predictions that came.
        calls: where it tells.
        monotonic: a clock that nobody sets, microseconds.
    """

    def __init__(self, heard: Heard, calls: StaleCalls, *, monotonic: Callable[[], int]) -> None:
        self._heard, self._calls, self._monotonic = heard, calls, monotonic
        self._since: dict[Watch, int] = {}
        self._fresh: set[_Told] = set()
        self._told: set[_Told] = set()

    def change(self, watches: Sequence[Watch]) -> list[StaleCall]:
        """Take the watches that are here now; the calls that still run in those that went."""
        now = self._monotonic()
        self._since = {watch: self._since.get(watch, now) for watch in watches}
        self._told = {each for each in self._told if each[0] in self._since}
        self._fresh = {each for each in self._fresh if each[0] in self._since}
        return self._calls.change(self._since)

    def look(self) -> None:
        """Tell of what is not in force any more; called about every second."""
        for watch, since in self._since.items():
            settled = self._monotonic() - since >= SETTLE
            for place, stale in self._found(watch):
                told = watch, place
                if stale is None:
                    self._in_force(told)
                elif told not in self._told and (settled or told in self._fresh):
                    self._told.add(told)
                    self._tell(told, stale)

    def _found(self, watch: Watch) -> Iterator[tuple[str, Stale | None]]:
        newest = list(self._heard.newest(watch.wanted))
        for each in newest:
            yield f"{each.signal.mode} {each.signal.key}", _stale(watch, each)
        if not newest:
            reason = "no prediction came since the start"
            yield "", Stale(source=watch.wanted.source, pair=watch.wanted.pair, reason=reason, last=None)

    def _tell(self, told: _Told, stale: Stale) -> None:
        turn = Turn(stale.source, stale.pair) if stale.last is None else Turn.of(stale.last)
        self._calls.put(told[0], turn, lambda: self._still(told))

    def _still(self, told: _Told) -> Stale | None:
        """What is to be told when the turn has come: what came meanwhile may be in force."""
        watch, place = told
        stale = dict(self._found(watch)).get(place)
        if stale is None:
            self._in_force(told)
        return stale

    def _in_force(self, told: _Told) -> None:
        self._told.discard(told)
        self._fresh.add(told)


def _stale(watch: Watch, newest: Newest) -> Stale | None:
    reason, signal = watch.why_not(newest), newest.signal
    return None if reason is None else Stale(source=signal.source, pair=signal.pair, reason=reason, last=signal)
