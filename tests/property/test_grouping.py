"""Whatever happens in whatever order: nothing is lost, nobody is flooded, and what was told last is true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from gateway.notify.grouping import Grouping
from gateway.notify.notification import LONGEST, Entry, Notification, clean, compose
from gateway.notify.problems import Kind, Problem
from gateway.notify.settings import Pace
from gateway.notify.wording import Wording

TICK = 20.0
HOUR = 3600.0

paces = st.builds(
    Pace,
    group_for=st.sampled_from([0.0, 10.0, 300.0]),
    repeat_every=st.sampled_from([60.0, 900.0, 3600.0, 86_400.0]),
    limit=st.integers(1, 30),
)
kinds = st.sampled_from([Kind.REFUSED, Kind.FAILED, Kind.BOT_DEAD, Kind.SOURCE_SILENT, Kind.BOT_NOTIFIED])
steps = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 40.0, 400.0, 4000.0]), kinds, st.sampled_from(["one", "two"]), st.booleans()),
    max_size=40,
)
Told = list[tuple[float, Sequence[Entry], Mapping[Kind, int]]]


class Story:
    """A grouping that lives through steps, and what it told when."""

    def __init__(self, pace: Pace) -> None:
        self.grouping, self.now, self.told = Grouping(pace), 0.0, Told()
        self.added: dict[Kind, int] = defaultdict(int)
        self.on: dict[tuple[Kind, str], bool] = {}

    def take(self, kind: Kind, subject: str, *, over: bool) -> None:
        over = over and kind.lasts
        self.grouping.add(Problem(kind=kind, subject=subject, text="x", at=0, over=over), now=self.now)
        self.added[kind] += not over
        if kind.lasts and (not over or (kind, subject) in self.on):
            self.on[kind, subject] = not over

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            self._look()
            if self.now >= end:
                return
            self.now = min(end, self.now + TICK)

    def _look(self) -> None:
        def keep(entries: Sequence[Entry], left_out: Mapping[Kind, int]) -> Notification:
            self.told.append((self.now, entries, dict(left_out)))
            return compose(entries, left_out)

        with patch("gateway.notify.grouping.compose", keep):
            self.grouping.due(now=self.now)


def lived(pace: Pace, story: Sequence[tuple[float, Kind, str, bool]]) -> Story:
    made = Story(pace)
    for seconds, kind, subject, over in story:
        made.wait(seconds)
        made.take(kind, subject, over=over)
    return made


@given(paces, steps)
def test_every_problem_is_told_once_sooner_or_later(pace: Pace, story: list[tuple[float, Kind, str, bool]]) -> None:
    made = lived(pace, story)
    made.wait(2 * HOUR + 2 * pace.group_for)
    if pace.repeat_every > HOUR:
        made.now += pace.repeat_every
    made.wait(2 * HOUR + 2 * pace.group_for)

    counted: dict[Kind, int] = defaultdict(int)
    for _, entries, left_out in made.told:
        for entry in entries:
            counted[entry.problem.kind] += entry.count
        for kind, count in left_out.items():
            counted[kind] += count
    assert {kind: count for kind, count in counted.items() if count} == {
        kind: count for kind, count in made.added.items() if count
    }


@given(paces, steps)
def test_nobody_gets_more_notifications_in_an_hour_than_the_limit(
    pace: Pace, story: list[tuple[float, Kind, str, bool]]
) -> None:
    times = [at for at, _, _ in lived(pace, story).told]

    for earlier, later in zip(times, times[pace.limit :], strict=False):
        assert later - earlier >= HOUR


@given(paces, steps)
def test_what_happens_again_is_told_again_after_repeat_every_at_the_earliest(
    pace: Pace, story: list[tuple[float, Kind, str, bool]]
) -> None:
    last: dict[tuple[Kind, str], float] = {}
    for at, entries, _ in lived(pace, story).told:
        for entry in entries:
            key = (entry.problem.kind, entry.problem.subject)
            if entry.problem.kind in {Kind.REFUSED, Kind.FAILED}:
                assert at - last.get(key, -pace.repeat_every) >= pace.repeat_every
                last[key] = at


@given(paces, steps)
def test_the_last_that_was_told_of_what_lasts_is_true(pace: Pace, story: list[tuple[float, Kind, str, bool]]) -> None:
    made = lived(pace, story)
    made.wait(2 * HOUR + 2 * pace.group_for)
    made.now += pace.repeat_every
    made.wait(2 * HOUR + 2 * pace.group_for)

    told = {
        (entry.problem.kind, entry.problem.subject): entry.ended is None
        for _, entries, _ in made.told
        for entry in entries
        if entry.problem.kind.lasts
    }
    assert told == made.on


@given(st.sampled_from([0.0, 10.0, 300.0]), steps)
def test_a_first_problem_is_told_within_the_time_to_gather(
    group_for: float, story: list[tuple[float, Kind, str, bool]]
) -> None:
    made = lived(Pace(group_for=group_for, repeat_every=60.0, limit=1000), story)
    made.wait(group_for + 1)
    began = made.now
    made.grouping.add(Problem(kind=Kind.DENIED, subject="new", text="x", at=0), now=began)
    made.wait(group_for + 1)

    (at,) = (at for at, entries, _ in made.told if any(entry.problem.kind is Kind.DENIED for entry in entries))
    assert at - began <= group_for + TICK


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.text(max_size=2000), st.text(max_size=2000)), min_size=1, max_size=60),
    st.dictionaries(st.sampled_from(Kind), st.integers(1, 10**9)),
)
def test_any_words_make_a_notification_that_every_service_takes(
    words: list[tuple[Kind, str, str]], left_out: dict[Kind, int]
) -> None:
    entries = [
        Entry(
            problem=Problem(kind=kind, subject=subject, text=text, at=0, signal=text),
            ended=Problem(kind=kind, subject=subject, text=text, at=0, over=True) if kind.lasts else None,
            count=10**9,
            again=True,
            wordings=tuple(
                Wording(problem=Problem(kind=kind, subject=subject, text=one, at=0)) for one in (text, subject)
            ),
        )
        for kind, subject, text in words
    ]
    told = compose(entries, left_out)

    assert 0 < len(told.body) <= LONGEST
    assert 0 < len(told.title) <= 200
    assert "\n" not in told.title
    assert all(one == "\n" or one.isprintable() for one in told.body + told.title)


@given(st.text(), st.integers(1, 100))
def test_a_strangers_text_is_bounded_and_printable(text: str, most: int) -> None:
    shown = clean(text, most=most)

    assert len(shown) <= most
    assert all(one == "\n" or one.isprintable() for one in shown)
