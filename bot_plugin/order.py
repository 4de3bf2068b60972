"""Decides, and only decides, when a signal's turn has come among those of its topic.

Each names the one before it. What comes in order goes on at once; what comes early waits for those before it, for a
bounded time; what comes after a later one went on is too late.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

PATIENCE = 2_000_000
"""Microseconds that a signal waits for those before it, counted anew when one of them arrives.

They count only while one of those could arrive.
"""

TOLD = 500_000
"""Microseconds within which a receipt says that a signal came."""

SLOW = 1_000_000
"""Microseconds without an answer after which the gateway is slow; after ``PATIENCE`` it was away."""

WHILE_SLOW = 10_000_000
"""Microseconds after its arrival in which a signal waits anew for a gateway that is slow."""

LAST_MOMENT = 1_000_000
"""Microseconds before its expiry when the longest wait ends, whatever cannot arrive."""

LONG_AGO = 3_600_000_000
"""Microseconds after which nobody waits any more for a signal that was accepted then."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a signal stands.

    Args:
        topic: what it came on.
        sequence: its number, microseconds of its acceptance or more.
        previous: the number put on the topic before it; None for the first.
        deadline: when it expires, by the monotonic clock; None where it runs nothing.
    """

    topic: str
    sequence: int
    previous: int | None = None
    deadline: int | None = None


@dataclass(frozen=True, slots=True)
class Turn(Generic[T]):
    """What goes on now; ``missing`` is the number that it waited for in vain."""

    item: T
    missing: int | None = None


@dataclass(slots=True)
class _Waiting(Generic[T]):
    place: Place
    item: T
    arrived: int
    since: int
    cap: int | None
    known: bool

    def until(self, *, paused: bool) -> int | None:
        patient = self.since + PATIENCE if self.known and not paused else None
        return min((end for end in (patient, self.cap) if end is not None), default=None)


class Order(Generic[T]):
    """The topics, and what waits in each. All times are microseconds by the monotonic clock, but for ``now``.

    Args:
        released: for each topic the highest number that earlier processes let go on.
        backlog: signals that wait in one topic, at most; one more ends the waiting.
        topics: topics that are remembered; past it those that were not heard of for the longest time are forgotten.
    """

    def __init__(self, released: Mapping[str, int], *, backlog: int, topics: int = 10_000) -> None:
        self._backlog, self._topics = backlog, topics
        self._released = OrderedDict(released)
        self._lines: dict[str, list[_Waiting[T]]] = {}
        self._connected_at: int | None = None
        self._paused = True
        self._next_due: int | None = None
        self._forget()

    @property
    def next_due(self) -> int | None:
        """When to call ``due``; None while nothing waits."""
        return self._next_due

    @property
    def paused(self) -> bool:
        """Whether nothing can arrive, as far as is known."""
        return self._paused

    def connected(self, *, monotonic: int) -> None:
        """A connection stands: what is older may be on its way again."""
        self._connected_at = monotonic
        self.resume(monotonic=monotonic)

    def pause(self) -> None:
        """Nothing can arrive now, and what waits for it waits on."""
        self._paused = True
        self._look_ahead()

    def resume(self, *, monotonic: int, younger_than: int | None = None) -> None:
        """What waits may be followed by what it waits for: it waits anew, where it arrived not so long ago."""
        self._paused = False
        for line in self._lines.values():
            for waiting in line:
                if younger_than is None or monotonic - waiting.arrived < younger_than:
                    waiting.since = monotonic
        self._look_ahead()

    def told(self, *, through: int, monotonic: int) -> None:
        """The gateway has every receipt up to a time: what was told of by then begins to count its patience."""
        news = [
            waiting
            for line in self._lines.values()
            for waiting in line
            if not waiting.known and waiting.arrived + TOLD <= through
        ]
        for waiting in news:
            waiting.known, waiting.since = True, max(waiting.since, monotonic - TOLD)
        if news:
            self._look_ahead()

    def waiting(self) -> Iterator[T]:
        """What waits."""
        return (waiting.item for line in self._lines.values() for waiting in line)

    def later(self, place: Place) -> int | None:
        """The number that a signal comes too late for; None where it has its turn before it."""
        released = self._released.get(place.topic)
        if released is not None and place.sequence <= released:
            return released
        line = self._lines.get(place.topic)
        if line is None:
            return None
        at = bisect_left(line, place.sequence, key=_sequence)
        return place.sequence if at < len(line) and line[at].place.sequence == place.sequence else None

    def take(self, place: Place, item: T, *, now: int, monotonic: int, known: bool = True) -> list[Turn[T]]:
        """Take a signal that is not too late; what goes on now, in its order.

        Args:
            place: where it stands.
            item: what goes on when its turn comes.
            now: the time, since the epoch.
            monotonic: the time that the waiting is counted by.
            known: whether its patience counts at once, or from when the gateway was ``told`` that it came.
        """
        topic, line = place.topic, self._lines.get(place.topic)
        if line is None:
            if not self._waits(place, now=now, monotonic=monotonic):
                self._release(topic, place.sequence)
                return [Turn(item)]
            line = self._lines[topic] = []
        waiting = _Waiting(place, item, monotonic, monotonic, _cap(place, monotonic), known)
        insort(line, waiting, key=_sequence)
        until = waiting.until(paused=self._paused)
        self._next_due = min((end for end in (until, self._next_due) if end is not None), default=None)
        self.heard(place, monotonic=monotonic)
        most = len(line) if len(line) > self._backlog else 0
        return self._go_on(topic, line, most=most, now=now)

    def heard(self, place: Place, *, monotonic: int) -> None:
        """A signal arrived, be it for the first time or again: those behind it have reason to wait on."""
        for waiting in reversed(self._lines.get(place.topic, ())):
            if waiting.place.sequence <= place.sequence:
                return
            waiting.since = monotonic

    def due(self, *, now: int, monotonic: int) -> list[Turn[T]]:
        """What has waited long enough, and what follows it."""
        turns: list[Turn[T]] = []
        for topic, line in list(self._lines.items()):
            most = max((at for at, waiting in enumerate(line, 1) if self._is_over(waiting, monotonic)), default=0)
            if most:
                turns += self._go_on(topic, line, most=most, now=now)
        self._look_ahead()
        return turns

    def _is_over(self, waiting: _Waiting[T], monotonic: int) -> bool:
        until = waiting.until(paused=self._paused)
        return until is not None and until <= monotonic

    def _look_ahead(self) -> None:
        ends = (waiting.until(paused=self._paused) for line in self._lines.values() for waiting in line)
        self._next_due = min((end for end in ends if end is not None), default=None)

    def _waits(self, place: Place, *, now: int, monotonic: int) -> bool:
        if place.topic not in self._released:
            just = self._connected_at is None or monotonic - self._connected_at < PATIENCE
            return just and not self._follows(place, None, now=now)
        return not self._follows(place, self._released[place.topic], now=now)

    def _follows(self, place: Place, released: int | None, *, now: int) -> bool:
        """Whether nothing that could still come is before it."""
        previous = place.previous
        if previous is None or (released is not None and previous <= released):
            return True
        return previous < now - LONG_AGO

    def _go_on(self, topic: str, line: list[_Waiting[T]], *, most: int, now: int) -> list[Turn[T]]:
        turns: list[Turn[T]] = []
        for waiting in line:
            released = self._released.get(topic)
            follows = self._follows(waiting.place, released, now=now)
            if not follows and len(turns) >= most:
                break
            turns.append(Turn(waiting.item, None if follows or released is None else waiting.place.previous))
            self._release(topic, waiting.place.sequence)
        del line[: len(turns)]
        if not line:
            del self._lines[topic]
        if not self._lines:
            self._next_due = None
        return turns

    def _release(self, topic: str, sequence: int) -> None:
        self._released[topic] = sequence
        self._released.move_to_end(topic)
        self._forget()

    def _forget(self) -> None:
        while len(self._released) > self._topics:
            self._released.popitem(last=False)


def _cap(place: Place, monotonic: int) -> int | None:
    """Until when a signal may wait at the longest: long enough before its expiry that it is worth something then."""
    if place.deadline is None:
        return None
    left = max(0, place.deadline - monotonic)
    return monotonic + max(left // 2, left - LAST_MOMENT)


def _sequence(waiting: _Waiting[T]) -> int:
    return waiting.place.sequence
