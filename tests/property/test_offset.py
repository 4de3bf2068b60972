"""What the gateway concludes of a bot's clock, whatever the delays are and however it drifts."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.bots.offset import BotClock, Verdict

SECOND = 1_000_000
NOW = 1_795_352_101 * SECOND
delays = st.integers(0, 100 * SECOND)
pauses = st.integers(0, 400 * SECOND)


def arrive(clock: BotClock, at: int, *, ahead: int, there: int, back: int, both: bool = True) -> bool:
    """A receipt stamped ``back`` before it arrives, of a signal that had been under way for ``there``."""
    stamp = NOW + at - back + ahead
    most = stamp - (NOW + at - back - there) if both else None
    return clock.observe(least=stamp - (NOW + at), most=most, timer=at / SECOND)


@given(
    st.lists(st.tuples(pauses, delays, delays, st.booleans()), min_size=1),
    st.integers(-(10**10), 10**10),
    st.integers(-500, 500),
    st.integers(0, 2000 * SECOND),
)
@example([(0, 0, 0, False), (400 * SECOND, 0, 0, False), (299 * SECOND, 0, 0, False)], 0, -500, 0)
def test_the_interval_always_contains_the_true_offset(
    samples: list[tuple[int, int, int, bool]], ahead: int, parts_per_million: int, wait: int
) -> None:
    clock, at = BotClock(), 0

    def true() -> int:
        return ahead + at * parts_per_million // 10**6

    def holds() -> bool:
        offset = clock.offset(timer=at / SECOND)
        low = offset.least is None or offset.least <= true()
        return low and (offset.most is None or true() <= offset.most)

    for pause, there, back, both in samples:
        at += pause
        arrive(clock, at, ahead=true(), there=there, back=back, both=both)
        assert holds()
    at += wait
    assert holds()


@given(
    st.lists(st.tuples(pauses, delays, delays)),
    st.integers(0, 40 * SECOND),
    st.integers(0, 40 * SECOND),
    st.sampled_from([-45 * SECOND, 45 * SECOND]),
)
def test_a_clock_that_is_45_s_off_is_noticed_by_the_first_receipt_that_takes_less_than_40_s(
    samples: list[tuple[int, int, int]], there: int, back: int, ahead: int
) -> None:
    clock, at = BotClock(), 0
    for pause, *delays_of_one in samples:
        at += pause
        arrive(clock, at, ahead=ahead, there=delays_of_one[0], back=delays_of_one[1])
    arrive(clock, at, ahead=ahead, there=there, back=back)
    assert clock.offset(timer=at / SECOND).verdict is (Verdict.AHEAD if ahead > 0 else Verdict.BEHIND)


@given(
    st.lists(st.tuples(pauses, delays, delays), min_size=1),
    st.integers(-(10**10), 10**10),
    st.integers(-(10**10), 10**10),
    st.integers(0, SECOND),
)
def test_after_a_clock_was_set_nothing_wrong_is_proven_once_the_window_has_passed(
    samples: list[tuple[int, int, int]], before: int, after: int, delay: int
) -> None:
    clock, at = BotClock(), 0
    for pause, there, back in samples:
        at += pause
        arrive(clock, at, ahead=before, there=there, back=back)
    arrive(clock, at, ahead=after, there=delay, back=delay)
    at += 601 * SECOND
    arrive(clock, at, ahead=after, there=delay, back=delay)
    offset = clock.offset(timer=at / SECOND)
    assert offset.least is not None
    assert offset.most is not None
    assert offset.least <= after <= offset.most
