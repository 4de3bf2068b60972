"""A bot is there when it has beaten for long enough, and lately."""

from __future__ import annotations

import pytest

from gateway.bots.arrivals import FRESH, SETTLE, Arrivals


@pytest.fixture
def arrivals():
    """With one bot that came at second 0."""
    made = Arrivals()
    made.beat("a", timer=0)
    assert made.come(timer=SETTLE) == ["a"]
    return made


def test_a_bot_that_comes_has_some_time_before_it_is_there_and_is_told_once():
    arrivals = Arrivals()
    arrivals.beat("a", timer=0)
    assert arrivals.come(timer=SETTLE - 0.1) == []
    assert not arrivals.present("a", timer=SETTLE)
    assert arrivals.come(timer=SETTLE) == ["a"]
    assert arrivals.present("a", timer=SETTLE)
    arrivals.beat("a", timer=10)
    assert arrivals.come(timer=SETTLE + 10) == []


def test_a_bot_is_there_for_as_long_as_its_last_heartbeat_is_fresh(arrivals):
    assert arrivals.present("a", timer=FRESH)
    assert not arrivals.present("a", timer=FRESH + 0.1)
    arrivals.beat("a", timer=FRESH)
    assert arrivals.present("a", timer=2 * FRESH)


@pytest.mark.parametrize("looked", [False, True])
def test_a_bot_that_was_silent_comes_anew(arrivals, looked):
    if looked:
        assert arrivals.come(timer=FRESH + 1) == []
    arrivals.beat("a", timer=FRESH + 1)
    assert not arrivals.present("a", timer=FRESH + 1)
    assert arrivals.come(timer=FRESH + 1 + SETTLE) == ["a"]


def test_a_bot_that_says_that_it_connected_comes_anew_though_its_heartbeats_never_stopped(arrivals):
    arrivals.online("a", timer=5)
    assert not arrivals.present("a", timer=5)
    assert arrivals.come(timer=5 + SETTLE) == ["a"]


@pytest.mark.parametrize("how", ["gone", "clear"])
def test_a_bot_that_went_is_not_there_before_its_next_heartbeat(arrivals, how):
    arrivals.gone("a") if how == "gone" else arrivals.clear()
    assert not arrivals.present("a", timer=3)
    arrivals.online("a", timer=3)
    assert arrivals.come(timer=9) == []
    arrivals.beat("a", timer=10)
    assert arrivals.come(timer=10 + SETTLE) == ["a"]


def test_whoever_never_beat_is_not_there():
    arrivals = Arrivals()
    arrivals.gone("a")
    arrivals.online("a", timer=0)
    assert (arrivals.come(timer=100), arrivals.present("a", timer=100)) == ([], False)
