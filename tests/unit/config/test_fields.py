"""Durations, sizes and shares as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.fields import duration, share, size, url


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("60s", 60), ("15m", 900), ("12 h", 43_200), ("30d", 2_592_000), ("1.5m", 90), ("250ms", 0.25)],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("4096", 4096), ("256MB", 256_000_000), ("1GiB", 1 << 30), ("64 kb", 64_000), ("1.5KiB", 1536)]
)
def test_a_size_is_bytes_or_has_a_unit(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(("text", "part"), [("0.5", 0.5), ("50%", 0.5), ("1", 1.0)])
def test_a_share_is_a_part_of_one_or_a_percentage(text: str, part: float) -> None:
    assert share(text) == part


@pytest.mark.parametrize("read", [duration, size, share, url])
@given(text=st.text())
def test_any_other_text_is_refused_with_words(read: object, text: str) -> None:
    problem = ""
    try:
        read(text)  # type: ignore[operator]
    except ValueError as error:
        problem = str(error)
    assert not problem or problem.startswith("is a")


@pytest.mark.parametrize("text", ["-1", "1e9", "", "٣", "1y", "nan", "60s "])
def test_a_duration_is_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="is a duration"):
        duration(text)
