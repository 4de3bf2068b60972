"""Tells a strategy, by the bot's own timer, that nothing is in force any more: also while the broker is away."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Task, TaskGroup
from collections.abc import Callable, Iterator, Sequence

from bot_plugin.in_force import Predictions, Stale, Watch
from bot_plugin.registration import is_async
from bot_plugin.signal import Signal

log = logging.getLogger("bot_plugin.predictions")

SETTLE = 10_000_000
"""Microseconds after the start, or after the watch came, in which a prediction may still come of those before."""

_Told = tuple[Watch, str]


class Vigil:
    """Looks about every second, and tells once for each silence.

    Args:
        known: the predictions that came.
        group: where the calls live.
        monotonic: a clock that nobody sets, microseconds.
    """

    def __init__(self, known: Predictions, group: TaskGroup, *, monotonic: Callable[[], int]) -> None:
        self._known, self._group, self._monotonic = known, group, monotonic
        self._since: dict[Watch, int] = {}
        self._fresh: set[_Told] = set()
        self._told: set[_Told] = set()
        self._calls: dict[Task[None], Watch] = {}

    def change(self, watches: Sequence[Watch]) -> None:
        """Take the watches that are here now; the calls of those that went are cancelled."""
        now = self._monotonic()
        self._since = {watch: self._since.get(watch, now) for watch in watches}
        self._told = {each for each in self._told if each[0] in self._since}
        self._fresh = {each for each in self._fresh if each[0] in self._since}
        for task, watch in self._calls.items():
            if watch not in self._since and task is not asyncio.current_task():
                task.cancel()

    def look(self) -> None:
        """Tell of what is not in force any more; called about every second."""
        for watch, since in self._since.items():
            settled = self._monotonic() - since >= SETTLE
            for place, stale in self._found(watch):
                told = watch, place
                if stale is None:
                    self._told.discard(told)
                    self._fresh.add(told)
                elif told not in self._told and (settled or told in self._fresh):
                    self._told.add(told)
                    self._tell(watch, stale)

    def close(self) -> None:
        """Cancel what runs."""
        for task in self._calls:
            task.cancel()

    def _found(self, watch: Watch) -> Iterator[tuple[str, Stale | None]]:
        newest = list(self._known.newest(watch.wanted))
        for signal in newest:
            yield signal.key, _stale(watch, signal)
        if not newest:
            reason = "no prediction came since the start"
            yield "", Stale(source=watch.wanted.source, pair=watch.wanted.pair, reason=reason, last=None)

    def _tell(self, watch: Watch, stale: Stale) -> None:
        log.warning("predictions of %s for %s: %s", stale.source, stale.pair or "every pair", stale.reason)
        task = self._group.create_task(self._call(watch, stale), name="bot_plugin.stale")
        self._calls[task] = watch
        task.add_done_callback(self._calls.pop)

    async def _call(self, watch: Watch, stale: Stale) -> None:
        task = asyncio.current_task()
        try:
            if is_async(watch.callback):
                await watch.callback(stale)
            else:
                await asyncio.to_thread(watch.callback, stale)
        except BaseException:
            if task is not None and task.cancelling():
                raise
            log.exception("%s failed", watch.wanted.name)


def _stale(watch: Watch, signal: Signal) -> Stale | None:
    reason = watch.why_not(signal)
    return None if reason is None else Stale(source=signal.source, pair=signal.pair, reason=reason, last=signal)
