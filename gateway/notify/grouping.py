"""Grouping: which of the problems of one target make its next notification, and when. No clock and no socket."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from gateway.notify.notification import Entry, Notification, compose
from gateway.notify.problems import Kind, Problem
from gateway.notify.settings import Pace
from gateway.notify.wording import Wording, wording

MOST = 1000
"""Kinds with subjects that are remembered at most; of what is beyond, only the kinds are counted."""

_HOUR = 3600.0
_MOST_WORDINGS = 5
"""Wordings of one kind with one subject that a notification has; what else there is, is counted."""

_MOST_KNOWN = 16
"""Wordings told within ``repeat_every``: past them, a new one waits as a known one does."""

_MOST_BEGINNINGS = 3
"""How often within ``repeat_every`` it is told at once that the same thing begins again."""

_LONG = 300.0
"""Seconds after which a beginning is told that was one too many to be told at once."""

_Key = tuple[Kind, str]


@dataclass(slots=True)
class _Case:
    """One kind with one subject: what was told of it, and what was not yet.

    ``window`` is when it was told first, or first again after ``repeat_every``; ``began`` is when it came last.
    ``said`` is what waits to be told, by its wording, and ``known`` are the hashes of the wordings that were told.
    """

    latest: Problem
    count: int = 0
    since: int = 0
    said: dict[int, Wording] = field(default_factory=dict)
    known: dict[int, None] = field(default_factory=dict)
    on: bool = False
    ended: Problem | None = None
    told_on: bool = False
    began: float = 0.0
    window: float | None = None
    beginnings: int = 0

    def add(self, problem: Problem, *, now: float) -> bool:
        """Take one more; whether it says what was not told yet."""
        self.began = now if not self.on else self.began
        self.since = self.since if self.count else problem.at
        self.count += 1
        self.latest = problem
        self.on = problem.kind.lasts
        self.ended = None
        key = hash(wording(problem))
        self._say(key, problem)
        return key not in self.known and len(self.known) < _MOST_KNOWN

    def next(self, repeat_every: float) -> float | None:
        """When it is to be told again, or forgotten; None where it was not told yet."""
        if self.window is None:
            return None
        again = self.window + repeat_every
        return min(again, self.began + _LONG) if self.on and not self.told_on else again

    def tell(self, now: float, *, repeat_every: float) -> Entry:
        """What is to be told of it, which is told by this."""
        still = self.on and not self.count
        again = self.window is not None and self.count > 0
        entry = Entry(
            problem=self.latest,
            count=self.count,
            since=self.since,
            ended=self.ended,
            again=again,
            still=still,
            wordings=tuple(self.said.values()),
        )
        if self.window is None or now >= self.window + repeat_every:
            self.window, self.beginnings = now, 0
            self._know(most=_MOST_KNOWN // 2)
        self.beginnings += self.count > 0
        self.told_on, self.count, self.ended = self.on, 0, None
        self._know(most=_MOST_KNOWN)
        self.said.clear()
        return entry

    def _say(self, key: int, problem: Problem) -> None:
        """Keep what is to be told; what is new takes the place of what was told before."""
        held = self.said.get(key)
        if held is None and len(self.said) >= _MOST_WORDINGS:
            told = next((one for one in self.said if one in self.known), None)
            if told is None or key in self.known:
                return
            del self.said[told]
        since, count = (held.since, held.count) if held else (problem.at, 0)
        self.said[key] = Wording(problem=problem, count=count + 1, since=since, again=key in self.known)

    def _know(self, *, most: int) -> None:
        """Remember the wordings that are told, and of all, the latest."""
        for key in self.said:
            self.known.pop(key, None)
            self.known[key] = None
        for key in list(self.known)[:-most]:
            del self.known[key]


class Grouping:
    """Gathers problems into notifications: one for a burst, few for what goes on.

    A problem is told ``group_for`` after it came, together with what came meanwhile. The same kind with the same
    subject is then told again after ``repeat_every`` at the earliest, with how often it happened, unless it says
    something else than was told; and what lasts is told once more when it is over. Past ``limit`` notifications in an
    hour, all waits for the next that may be sent; past half of it, bots' own words do.

    Times are seconds that never go back.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._cases: dict[_Key, _Case] = {}
        self._news: dict[_Key, None] = {}
        self._left_out: Counter[Kind] = Counter()
        self._opened: float | None = None
        self._sent: deque[float] = deque()
        self._look_at = 0.0

    def add(self, problem: Problem, *, now: float) -> None:
        """Take a problem, or the end of one; it never waits, and holds a bounded number of them."""
        key = (problem.kind, problem.subject)
        case = self._cases.get(key)
        if problem.over:
            if case is not None and case.on:
                self._end(key, case, problem, now=now)
            return
        if case is None:
            if len(self._cases) >= MOST:
                self._left_out[problem.kind] += 1
                self._open(now)
                return
            case = self._cases[key] = _Case(problem)
        goes_on = case.on and case.told_on
        new = case.add(problem, now=now)
        if not goes_on and self._may_begin(case, new=new):
            self._news[key] = None
            self._open(now)
        self._await(case)

    def due(self, *, now: float, flush: bool = False) -> Notification | None:
        """The notification that is to be sent now, if any; ``flush``: also what would still be gathered."""
        self._repeat(now)
        if self._opened is None or (not flush and now < self._opened + self._pace.group_for):
            return None
        while self._sent and self._sent[0] <= now - _HOUR:
            self._sent.popleft()
        if len(self._sent) >= self._allowance():
            return None
        self._sent.append(now)
        entries = [self._tell(key, now) for key in self._news]
        left_out, self._left_out = self._left_out, Counter()
        self._news.clear()
        self._opened = None
        return compose(entries, left_out)

    def _allowance(self) -> int:
        """How many an hour may have: bots' own words alone leave half of them to problems."""
        kinds = {kind for kind, _ in self._news} | self._left_out.keys()
        return self._pace.limit if kinds - {Kind.BOT_NOTIFIED} else (self._pace.limit + 1) // 2

    def _may_begin(self, case: _Case, *, new: bool) -> bool:
        if case.window is None or new:
            return True
        return case.latest.kind.lasts and case.beginnings < _MOST_BEGINNINGS

    def _end(self, key: _Key, case: _Case, problem: Problem, *, now: float) -> None:
        case.on, case.ended = False, problem
        if problem.moot:
            del self._cases[key]
            self._forget_news(key)
        elif case.told_on:
            self._news[key] = None
            self._open(now)

    def _forget_news(self, key: _Key) -> None:
        self._news.pop(key, None)
        if not self._news and not self._left_out:
            self._opened = None

    def _open(self, now: float) -> None:
        if self._opened is None:
            self._opened = now

    def _await(self, case: _Case) -> None:
        if (at := case.next(self._pace.repeat_every)) is not None:
            self._look_at = min(self._look_at, at)

    def _repeat(self, now: float) -> None:
        """Tell again what went on, or happened again, for long enough; forget what did not."""
        if now < self._look_at:
            return
        self._look_at = now + self._pace.repeat_every
        for key, case in list(self._cases.items()):
            at = case.next(self._pace.repeat_every)
            if at is None or key in self._news:
                continue
            if now < at:
                self._look_at = min(self._look_at, at)
            elif case.count or case.on:
                self._news[key] = None
                self._open(now)
            else:
                del self._cases[key]

    def _tell(self, key: _Key, now: float) -> Entry:
        case = self._cases[key]
        entry = case.tell(now, repeat_every=self._pace.repeat_every)
        if key[0] is Kind.BOT_NOTIFIED:
            del self._cases[key]
        self._await(case)
        return entry
