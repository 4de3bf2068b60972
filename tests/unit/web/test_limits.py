"""A source may send so many requests within any minute."""

from __future__ import annotations

import pytest

from gateway.errors import NotStored
from gateway.web.limits import RateLimit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_window_moves() -> None:
    clock = Clock()
    limit = RateLimit({"btc": 2}, now=clock)
    limit.admit("btc")
    clock.now = 30
    limit.admit("btc")
    clock.now = 59.999
    with pytest.raises(NotStored) as refused:
        limit.admit("btc")
    assert refused.value.cause == "rate"
    clock.now = 60
    limit.admit("btc")
    with pytest.raises(NotStored):
        limit.admit("btc")


def test_what_was_refused_does_not_count() -> None:
    clock = Clock()
    limit = RateLimit({"btc": 1}, now=clock)
    limit.admit("btc")
    for second in range(1, 60):
        clock.now = second
        with pytest.raises(NotStored):
            limit.admit("btc")
    clock.now = 60
    limit.admit("btc")


def test_a_source_without_a_limit_has_none_and_sources_do_not_share() -> None:
    limit = RateLimit({"btc": 1}, now=lambda: 0)
    limit.admit("btc")
    for _ in range(1000):
        limit.admit("eth")


def test_a_limit_of_none_at_all_admits_nothing() -> None:
    with pytest.raises(NotStored):
        RateLimit({"btc": 0}, now=lambda: 0).admit("btc")
