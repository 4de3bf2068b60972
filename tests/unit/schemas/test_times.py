"""Times of other programs: four units and strings become one, and what is no time becomes none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import any_time

AT = 1_786_000_000_500_000


@pytest.mark.parametrize(
    "value",
    [
        *(1_786_000_000.5, "1786000000.5", 1_786_000_000_500, "1786000000500", AT, str(AT), AT * 1_000),
        *("2026-08-06T07:06:40.500000Z", "2026-08-06T09:06:40.5+02:00"),
    ],
)
def test_a_time_in_any_unit_is_the_same_moment(value: Any) -> None:
    assert any_time(value) == AT


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, "", "-1", -1, 0, "0", float("nan"), float("inf"), "nan", "inf", "1e400", 10**20, "9" * 41),
        *([], {}, "yesterday", "2026-08-06T07:06:40", "\u0661"),
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert any_time(value) is None


@pytest.mark.parametrize(
    ("text", "micros"),
    [("1970-01-02T00:00:00Z", 86_400_000_000), ("9999-12-31T00:00:00Z", 253_402_214_400_000_000)],
)
def test_a_written_date_is_itself_however_far_from_now(text: str, micros: int) -> None:
    """Its size is no unit: a deadline of long ago must not be one of the year 4707."""
    assert any_time(text) == micros


@given(st.integers(1_000_000_000, 99_999_999_999), st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000]))
def test_every_whole_second_is_read_exactly_in_every_unit(second: int, unit: int) -> None:
    assert any_time(second * unit) == second * 1_000_000


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_anything_is_read_without_an_error(value: Any) -> None:
    assert (any_time(value) or 0) >= 0
