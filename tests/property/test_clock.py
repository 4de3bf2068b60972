"""What a bot concludes of the gateway's clock, whatever the delays are and however its own is set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.clock import GatewayClock

NOW = 1_795_352_101_000_000
times = st.integers(0, 1_000_000_000)


@given(st.lists(st.tuples(times, times), min_size=1), st.integers(-(10**9), 10**9), st.integers(0, 10**10))
def test_the_bound_never_exceeds_the_gateways_clock_and_the_later_clock_is_never_behind_the_bots(
    messages: list[tuple[int, int]], ahead: int, wait: int
) -> None:
    clock, at = GatewayClock(), 0
    for pause, delay in messages:
        at += pause
        clock.observe(NOW + at - delay, monotonic=at)
    at += wait
    true, bots = NOW + at, NOW + at + ahead

    assert clock.offset(now=bots, monotonic=at) >= min(0, ahead)
    assert bots <= clock.latest(now=bots, monotonic=at) <= max(bots, true)


@given(st.lists(st.tuples(st.integers(0, 60_000_000), times), min_size=1, max_size=9), st.integers(-(10**9), -1))
def test_a_lag_is_known_to_within_the_smallest_delay_of_ten_minutes(
    messages: list[tuple[int, int]], ahead: int
) -> None:
    clock, at = GatewayClock(), 0
    for pause, delay in messages:
        at += pause
        clock.observe(NOW + at - delay, monotonic=at)

    smallest = min(delay for _, delay in messages)
    assert min(0, clock.offset(now=NOW + at + ahead, monotonic=at)) == min(0, ahead + smallest)
