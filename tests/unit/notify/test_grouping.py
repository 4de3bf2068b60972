"""A burst is one notification; what goes on is told seldom; what is over is told once."""

from __future__ import annotations

import pytest

from gateway.notify.grouping import MOST, Grouping
from gateway.notify.notification import LONGEST, Level, Notification
from gateway.notify.problems import Kind, Problem
from gateway.notify.settings import Pace

PACE = Pace(group_for=10, repeat_every=3600, limit=20)
NOON = 1_795_348_800_000_000
"""12:00:00 UTC."""


def problem(
    kind: Kind = Kind.REFUSED,
    subject: str = "source tv",
    *,
    text: str = "an alert was refused",
    after: float = 0,
    **more: object,
) -> Problem:
    return Problem(kind=kind, subject=subject, text=text, at=NOON + int(after * 1e6), **more)  # type: ignore[arg-type]


class Bench:
    """A grouping, and a clock that is set by hand."""

    def __init__(self, pace: Pace = PACE) -> None:
        self.grouping = Grouping(pace)
        self.now = 1000.0

    def add(self, kind: Kind = Kind.REFUSED, subject: str = "source tv", **more: object) -> None:
        self.grouping.add(problem(kind, subject, after=self.now - 1000, **more), now=self.now)  # type: ignore[arg-type]

    def end(self, kind: Kind, subject: str, *, text: str = "it is over", moot: bool = False) -> None:
        self.add(kind, subject, text=text, over=True, moot=moot)

    def after(self, seconds: float, *, tick: float = 0.5) -> list[Notification]:
        """The notifications within a time."""
        end, told = self.now + seconds, []
        while self.now < end:
            self.now = min(end, self.now + tick)
            told += [found] if (found := self.grouping.due(now=self.now)) else []
        return told


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_burst_becomes_one_notification_with_a_count_and_a_time(bench: Bench) -> None:
    for _ in range(500):
        bench.add()
        assert bench.after(0.01, tick=0.01) == []
    (told,) = bench.after(600)

    assert told.title == "signal-gateway: refused, source tv"
    assert told.body == "12:00:04 an alert was refused (500 times since 12:00:00)"
    assert told.level is Level.WARNING


def test_a_problem_is_told_when_the_time_to_gather_is_over_and_not_before(bench: Bench) -> None:
    bench.add()

    assert bench.after(9.5) == []
    assert [told.body for told in bench.after(0.5)] == ["12:00:00 an alert was refused"]


def test_different_problems_of_a_burst_are_lines_of_one_notification_the_worst_first(bench: Bench) -> None:
    bench.add()
    bench.add(Kind.UNANSWERED, "bot demo", text="bot demo sent no receipt", signal="0193")
    bench.add(Kind.REDUCE_EXPIRED, "tv/BTC-USDT", text="an exit expired")
    (told,) = bench.after(60)

    assert told.title == "signal-gateway: 1 exit expired, 1 unanswered, 1 refused"
    assert told.body.splitlines() == [
        "12:00:00 an exit expired",
        "12:00:00 bot demo sent no receipt, signal 0193",
        "12:00:00 an alert was refused",
    ]
    assert told.level is Level.FAILURE


def test_what_happens_again_is_told_once_in_repeat_every_with_a_count(bench: Bench) -> None:
    told = []
    for _ in range(180):
        bench.add()
        told += bench.after(60)

    assert [one.body.partition("refused")[2] for one in told] == [
        "",
        " (60 times more since 12:01:00)",
        " (60 times more since 13:01:00)",
    ]


def test_what_does_not_happen_again_is_not_told_again(bench: Bench) -> None:
    bench.add()

    assert len(bench.after(3 * 3600, tick=5)) == 1
    bench.add()
    assert [told.body for told in bench.after(60)] == ["15:00:00 an alert was refused"]


def test_what_lasts_is_told_once_repeated_seldom_and_its_end_is_told_once(bench: Bench) -> None:
    bench.add(Kind.BROKER_AWAY, "broker", text="the broker is away")
    told = bench.after(2 * 3600 + 100, tick=5)
    bench.end(Kind.BROKER_AWAY, "broker", text="the broker is back")
    bench.end(Kind.BROKER_AWAY, "broker", text="the broker is back")
    ended = bench.after(3 * 3600, tick=5)

    assert [one.body for one in told] == [
        "12:00:00 the broker is away",
        "still: the broker is away",
        "still: the broker is away",
    ]
    assert [(one.body, one.title, one.level) for one in ended] == [
        ("over: 14:01:40 the broker is back", "signal-gateway: broker back", Level.SUCCESS)
    ]


def test_what_goes_on_and_is_reported_again_is_not_told_again_before_its_time(bench: Bench) -> None:
    told = []
    for _ in range(7):
        bench.add(Kind.BOT_DEAD, "bot demo", text="bot demo is dead")
        told += bench.after(600, tick=5)

    assert [one.body for one in told] == [
        "12:00:00 bot demo is dead",
        "13:00:00 bot demo is dead (6 times more since 12:10:00)",
    ]


def test_what_is_over_before_it_was_told_is_told_in_one_line(bench: Bench) -> None:
    bench.add(Kind.BOT_DEAD, "bot demo", text="bot demo is dead")
    bench.after(5)
    bench.end(Kind.BOT_DEAD, "bot demo", text="bot demo is back")
    (told,) = bench.after(60)

    assert told.body == "12:00:00 bot demo is dead; over: 12:00:05 bot demo is back"
    assert bench.after(3 * 3600, tick=5) == []


def test_an_end_of_what_was_never_reported_is_told_to_nobody(bench: Bench) -> None:
    bench.end(Kind.BOT_DEAD, "bot demo")

    assert bench.after(60) == []


def test_a_new_outage_soon_after_the_last_one_is_told_at_once(bench: Bench) -> None:
    bench.add(Kind.BROKER_AWAY, "broker", text="the broker is away")
    bench.after(60)
    bench.end(Kind.BROKER_AWAY, "broker")
    bench.after(600)
    bench.add(Kind.BROKER_AWAY, "broker", text="the broker is away")

    assert [told.body for told in bench.after(20)] == ["12:11:00 the broker is away (once more since 12:11:00)"]


def test_what_comes_and_goes_is_told_three_times_and_then_summed_up(bench: Bench) -> None:
    told = []
    for _ in range(80):
        bench.add(Kind.BOT_DEAD, "bot demo", text="bot demo is dead")
        told += bench.after(20)
        bench.end(Kind.BOT_DEAD, "bot demo", text="bot demo is back")
        told += bench.after(20)
    told += bench.after(3600, tick=5)

    assert len(told) == 7
    assert told[-1].body == (
        "12:52:40 bot demo is dead (77 times more since 12:02:00); over: 12:53:00 bot demo is back"
    )


def test_a_beginning_that_was_one_too_many_is_told_when_it_turns_out_to_last(bench: Bench) -> None:
    for _ in range(5):
        bench.add(Kind.BROKER_AWAY, "broker", text="the broker is away")
        bench.after(20)
        bench.end(Kind.BROKER_AWAY, "broker", text="the broker is back")
        bench.after(20)
    bench.add(Kind.BROKER_AWAY, "broker", text="the broker is away")
    told = bench.after(400)
    bench.end(Kind.BROKER_AWAY, "broker", text="the broker is back")
    told += bench.after(20)

    assert [one.body for one in told] == [
        "12:03:20 the broker is away (3 times more since 12:02:00)",
        "over: 12:10:00 the broker is back",
    ]


def test_what_is_of_no_interest_any_more_ends_in_silence(bench: Bench) -> None:
    bench.add(Kind.BOT_DEAD, "bot old", text="bot old is dead")
    assert len(bench.after(60)) == 1
    bench.end(Kind.BOT_DEAD, "bot old", moot=True)
    bench.add(Kind.BOT_DEAD, "bot new", text="bot new is dead")
    bench.end(Kind.BOT_DEAD, "bot new", moot=True)

    assert bench.after(3 * 3600, tick=5) == []


def test_a_bots_own_words_are_told_each_time_and_those_of_a_burst_together(bench: Bench) -> None:
    for number in range(8):
        bench.add(Kind.BOT_NOTIFIED, "bot demo", text=f"filled {number}\n")
    (burst,) = bench.after(60)
    bench.add(Kind.BOT_NOTIFIED, "bot demo", text="filled 0")
    (later,) = bench.after(60)

    assert burst.body.splitlines() == [
        *(f"bot demo: filled {number}" for number in range(5)),
        "and 3 more: 3 messages of bots",
    ]
    assert later.body == "bot demo: filled 0"
    assert later.level is Level.INFO


def test_past_the_limit_problems_wait_and_come_in_one_notification() -> None:
    bench = Bench(Pace(group_for=1, repeat_every=3600, limit=3))
    told = []
    for number in range(100):
        bench.add(subject=f"source {number}", text=f"refused {number}")
        told += bench.after(2)
    assert len(told) == 3
    (rest,) = bench.after(3600 - 200 + 10)

    assert rest.title == "signal-gateway: 97 refused"
    lines = rest.body.splitlines()
    assert lines[0] == "12:00:06 refused 3"
    assert lines[-1] == "and 87 more: 87 refused"
    assert len(rest.body) <= LONGEST


def test_bots_that_talk_all_the_time_leave_room_for_a_problem_to_be_told_at_once() -> None:
    bench = Bench(Pace(group_for=10, repeat_every=3600, limit=4))
    told = []
    for _ in range(30):
        bench.add(Kind.BOT_NOTIFIED, "bot demo", text="a word")
        told += bench.after(20)
    assert len(told) == 2

    bench.add(Kind.REDUCE_EXPIRED, "tv/BTC-USDT", text="an exit expired")
    (told_at_once,) = bench.after(11)
    assert "an exit expired" in told_at_once.body


def test_a_flood_of_different_subjects_is_bounded_and_counted_whole(bench: Bench) -> None:
    for number in range(MOST + 5000):
        bench.add(subject=f"source {number}")
    (told,) = bench.after(20)

    assert len(bench.grouping._cases) <= MOST
    assert told.title == f"signal-gateway: {MOST + 5000} refused"
    assert told.body.endswith(f"and {MOST + 5000 - 10} more: {MOST + 5000 - 10} refused")


def test_a_flush_tells_at_once_what_would_still_be_gathered(bench: Bench) -> None:
    bench.add()
    told = bench.grouping.due(now=bench.now, flush=True)

    assert told is not None
    assert told.body == "12:00:00 an alert was refused"
    assert bench.grouping.due(now=bench.now, flush=True) is None


def failed(handler: str, reason: str = "ValueError: no") -> str:
    return f"handler {handler} of bot demo failed on an entry of tv for BTC-USDT: {reason}"


def test_what_differs_within_a_burst_is_told_in_lines_and_what_is_equal_with_its_number(bench: Bench) -> None:
    for handler, price in [("trade", 1), ("trade", 2.5), ("log", 1), ("trade", 3)]:
        bench.add(Kind.FAILED, "bot demo", text=failed(handler, f"ValueError: {price} is too much"))
        bench.after(1)
    (told,) = bench.after(60)

    assert told.body.splitlines() == [
        f"12:00:03 {failed('trade', 'ValueError: 3 is too much')} (3 times since 12:00:00)",
        f"12:00:02 {failed('log', 'ValueError: 1 is too much')}",
    ]
    assert told.title == "signal-gateway: failed, bot demo"


def test_of_many_that_differ_five_are_told_and_the_others_counted(bench: Bench) -> None:
    for letter in "abcdefgh":
        bench.add(text=f"mistake {letter}")
    (told,) = bench.after(60)

    assert told.body.splitlines() == [*(f"12:00:00 mistake {letter}" for letter in "abcde"), "and 3 more: 3 refused"]


def test_many_mistakes_of_one_source_leave_room_for_another_source(bench: Bench) -> None:
    for source in ["tv", "other", "third"]:
        for letter in "abcde":
            bench.add(subject=f"source {source}", text=f"mistake {letter} of {source}")
    (told,) = bench.after(60)

    first = {line.split()[-1] for line in told.body.splitlines()[:3]}
    assert first == {"tv", "other", "third"}
    assert told.body.endswith("and 5 more: 5 refused")


def test_a_new_mistake_is_told_although_another_one_of_the_same_source_was(bench: Bench) -> None:
    bench.add(text="the price 5 is no number")
    bench.after(60)
    bench.add(text="the price 6 is no number")
    assert bench.after(60) == []
    bench.add(text="the side is missing")
    (told,) = bench.after(60)
    bench.add(text="the side is missing")
    rest = bench.after(3600, tick=5)

    assert told.body.splitlines() == [
        "12:01:00 the price 6 is no number (once more since 12:01:00)",
        "12:02:00 the side is missing",
    ]
    assert [one.body for one in rest] == ["12:03:00 the side is missing (once more since 12:03:00)"]


def test_a_new_mistake_is_told_although_many_known_ones_wait(bench: Bench) -> None:
    for letter in "abcde":
        bench.add(text=f"mistake {letter}")
    bench.after(60)
    for letter in "abcdex":
        bench.add(text=f"mistake {letter}")
    (told,) = bench.after(60)

    assert told.body.splitlines()[-2:] == ["12:01:00 mistake x", "and 1 more: 1 refused"]


def test_mistakes_that_are_new_each_time_are_told_at_once_a_bounded_number_of_times() -> None:
    bench, told = Bench(Pace(group_for=1, repeat_every=3600, limit=1000)), []
    for number in range(100):
        bench.add(text="mistake " + "x" * number)
        told += bench.after(10)

    assert len(told) == 16
    assert sum("more since" in one.body for one in told) == 0
