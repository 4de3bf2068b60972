"""Lanes to stock bots wait here while their bot is away; when it comes, what reduces positions goes first."""

from __future__ import annotations

from collections.abc import Callable

from gateway.delivery.lane import Place, Queue
from gateway.delivery.route import stock_bot
from gateway.journal.model import Lane

_ON = frozenset({Place.READY, Place.SUSPECT, Place.LOADING, Place.REWINDING})
"""Where a lane is that goes on by itself."""


class Attendance:
    """Asked once for each head that could go, and told when a bot comes: nothing is looked at while one is away.

    Args:
        present: whether a stock bot is surely there.
        put: gets each lane that may go on.
    """

    def __init__(self, present: Callable[[str], bool], *, put: Callable[[Queue], None]) -> None:
        self._present = present
        self._put = put
        self._waiting: dict[str, dict[Lane, Queue]] = {}
        self._first: dict[str, dict[Lane, int]] = {}

    def absent(self, queue: Queue) -> str:
        """The stock bot that a lane goes to, where it is away; else empty."""
        bot = stock_bot(queue.lane.destination)
        return "" if bot is None or self._present(bot) else bot

    def awaits(self, queue: Queue) -> bool:
        """Whether a lane has to wait for its bot, or for lanes that go first, as the bot came just now."""
        bot = stock_bot(queue.lane.destination)
        if bot is None:
            return False
        first = self._first.get(bot, {})
        return bool(self.absent(queue) or (first and queue.lane not in first))

    def wait(self, queue: Queue, *, timer: float) -> int:
        """Let a lane wait for its bot, with its head in memory; how many rows are left to the journal."""
        bot, trial = stock_bot(queue.lane.destination) or "", queue.try_()
        trial.absent = bot
        trial.hold(f"bot {bot} is absent: it has sent no heartbeat lately", timer=timer)
        queue.place = Place.AWAY
        self._waiting.setdefault(bot, {})[queue.lane] = queue
        return queue.shed()

    def came(self, bot: str) -> None:
        """Let a bot's lanes go on, first those with a signal that reduces, up to that."""
        waiting = self._waiting.get(bot, {})
        reduce = {lane: queue.reduced_to for lane, queue in waiting.items() if queue.reduces}
        first = self._first.setdefault(bot, {})
        first |= reduce
        for queue in [waiting[lane] for lane in (reduce if first else waiting)]:
            self._put(queue)

    def moved(self, queue: Queue, *, before: Place) -> None:
        """A lane was put elsewhere: it waits no more, or has done what went first, and others may follow."""
        bot = stock_bot(queue.lane.destination)
        if bot is None:
            return
        if before is Place.AWAY:
            self._waiting[bot].pop(queue.lane)
        first = self._first.get(bot, {})
        if queue.lane in first and not self._goes_first(queue, up_to=first[queue.lane]):
            del first[queue.lane]
            if not first:
                self.came(bot)

    def _goes_first(self, queue: Queue, *, up_to: int) -> bool:
        head = queue.head
        return queue.place in _ON and (head is None or head.waiting.position <= up_to)
