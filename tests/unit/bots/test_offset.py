"""What is concluded of a bot's clock from a few samples."""

from __future__ import annotations

import pytest

from gateway.bots.offset import DRIFT, NOTABLE, SPAN, BotClock, Offset, Verdict

SECOND = 1_000_000


def known(*samples: tuple[int | None, int | None], every: float = 1.0) -> Offset:
    clock = BotClock()
    for number, (least, most) in enumerate(samples):
        clock.observe(least=least, most=most, timer=number * every)
    return clock.offset(timer=len(samples) * every)


def test_nothing_is_known_before_the_first_sample():
    offset = BotClock().offset(timer=0)
    assert offset == Offset()
    assert (offset.estimate, offset.verdict, offset.agrees, offset.problem) == (None, Verdict.NOTHING, False, None)


def test_the_best_bound_of_each_side_counts():
    assert known((-9, 9), (-2, 5), (-7, 3)) == Offset(-2 - DRIFT, 3 + DRIFT)


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        (Offset(NOTABLE, None), Verdict.NOTHING),
        (Offset(NOTABLE + 1, None), Verdict.AHEAD),
        (Offset(None, -NOTABLE), Verdict.NOTHING),
        (Offset(None, -NOTABLE - 1), Verdict.BEHIND),
        (Offset(-50 * SECOND, 50 * SECOND), Verdict.NOTHING),
    ],
)
def test_a_clock_is_off_only_where_the_interval_leaves_no_doubt(offset, verdict):
    assert offset.verdict is verdict
    assert (offset.problem is None) == (verdict is Verdict.NOTHING)


def test_the_estimate_is_the_middle_of_close_bounds_or_what_proves_a_clock_to_be_off():
    assert Offset(10, 20).estimate == 15
    assert Offset(3 * SECOND, None).estimate == 3 * SECOND
    assert Offset(None, -3 * SECOND).estimate == -3 * SECOND


def test_a_signal_that_waited_for_a_bot_makes_no_estimate_of_its_clock():
    assert Offset(10, None).estimate is None
    assert Offset(None, 20).estimate is None
    assert Offset(-DRIFT, 25 * SECOND).estimate is None
    assert Offset(-DRIFT, SECOND).estimate is None


def test_the_problem_says_by_how_much_and_in_which_direction():
    assert Offset(44 * SECOND, 46 * SECOND).problem == "clock is 45.0 s ahead of the gateway's"
    assert Offset(-46 * SECOND, -44 * SECOND).problem == "clock is 45.0 s behind the gateway's"


def test_a_clock_that_is_set_right_is_right_with_the_next_sample():
    assert known((45 * SECOND - 9, 45 * SECOND + 9), (-9, 9)) == Offset(-9 - DRIFT, 9 + DRIFT)


def test_a_sample_that_contradicts_itself_leaves_nothing_known():
    assert known((-9, 9), (5 * SECOND, -5 * SECOND)) == Offset()


def test_a_sample_is_forgotten_when_two_spans_are_over():
    clock = BotClock()
    clock.observe(least=45 * SECOND, timer=0)
    assert clock.offset(timer=SPAN).verdict is Verdict.AHEAD
    clock.observe(least=-9, timer=SPAN + 1)
    assert clock.offset(timer=2 * SPAN - 1).verdict is Verdict.AHEAD
    assert clock.offset(timer=2 * SPAN + 1) == Offset(-9 - DRIFT, None)


def test_of_a_bot_that_was_silent_for_long_nothing_is_known():
    clock = BotClock()
    clock.observe(least=45 * SECOND, timer=0)
    assert clock.offset(timer=2 * SPAN) == Offset()


def test_only_a_sample_that_tightens_a_bound_is_news():
    clock = BotClock()
    assert [clock.observe(least=least, most=9, timer=1) for least in (-5, -6, -5, -4)] == [True, False, False, True]
