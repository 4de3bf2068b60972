"""Sees, by the bot's own timer, that nothing is in force any more: also while the broker is away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from bot_plugin.dispatch import wants
from bot_plugin.in_force import Heard, Newest, Stale, Watch
from bot_plugin.signal import Signal
from bot_plugin.stale_calls import StaleCall, StaleCalls
from bot_plugin.turns import Turn

SETTLE = 10_000_000
"""Microseconds after the start, or after the watch came, in which a prediction may still come of those before."""


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
        self._fresh: set[tuple[Watch, str]] = set()
        self._told: dict[str, set[Watch]] = defaultdict(set)

    def change(self, watches: Sequence[Watch]) -> list[StaleCall]:
        """Take the watches that are here now; the calls that still run in those that went."""
        now = self._monotonic()
        self._since = {watch: self._since.get(watch, now) for watch in watches}
        for told in self._told.values():
            told.intersection_update(self._since)
        return self._calls.change(self._since)

    def see(self, signal: Signal, *, ended: str | None = None) -> None:
        """Take in a prediction; one that counts ends a silence, though it may have run out before the next look."""
        if self._heard.see(signal, ended=ended) and ended is None:
            told = self._told[place := _place(signal)]
            self._told[place] = {watch for watch in told if not wants(watch.wanted, signal)}

    def end(self, id_: str, reason: str) -> None:
        """A prediction counts no more."""
        self._heard.end(id_, reason)

    def look(self) -> None:
        """Tell of what is not in force any more; called about every second."""
        unsettled = {watch for watch, since in self._since.items() if self._monotonic() - since < SETTLE}
        self._fresh = {each for each in self._fresh if each[0] in unsettled}
        for watch in self._since:
            for place, stale in self._found(watch):
                if stale is None:
                    self._told[place].discard(watch)
                    if watch in unsettled:
                        self._fresh.add((watch, place))
                elif watch not in self._told[place] and (watch not in unsettled or (watch, place) in self._fresh):
                    self._told[place].add(watch)
                    self._tell(watch, place, stale)

    def _found(self, watch: Watch) -> Iterator[tuple[str, Stale | None]]:
        newest = list(self._heard.newest(watch.wanted))
        for each in newest:
            yield _place(each.signal), _stale(watch, each)
        if not newest:
            reason = "no prediction came since the start"
            yield "", Stale(source=watch.wanted.source, pair=watch.wanted.pair, reason=reason, last=None)

    def _tell(self, watch: Watch, place: str, stale: Stale) -> None:
        turn = Turn(stale.source, stale.pair) if stale.last is None else Turn.of(stale.last)
        self._calls.put(watch, turn, lambda: self._still(watch, place))

    def _still(self, watch: Watch, place: str) -> Stale | None:
        """What is to be told when the turn has come: what came meanwhile may be in force."""
        stale = dict(self._found(watch)).get(place)
        if stale is None:
            self._told[place].discard(watch)
        return stale


def _place(signal: Signal) -> str:
    return f"{signal.mode} {signal.key}"


def _stale(watch: Watch, newest: Newest) -> Stale | None:
    reason, signal = watch.why_not(newest), newest.signal
    return None if reason is None else Stale(source=signal.source, pair=signal.pair, reason=reason, last=signal)
