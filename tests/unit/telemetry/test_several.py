"""Several listeners are one: each takes the facts that it wants, and none of them can hurt the others."""

from __future__ import annotations

import inspect
import logging

import pytest

from gateway.telemetry import NullTelemetry, Several, Telemetry
from gateway.telemetry.several import VERBS


class Counts(NullTelemetry):
    def __init__(self) -> None:
        self.received_ = 0
        self.dead: list[str] = []

    def received(self, *, source: str) -> None:
        self.received_ += 1

    def bot_dead(self, *, bot: str, last_seen: int) -> None:
        self.dead.append(bot)


class Broken(NullTelemetry):
    def bot_dead(self, *, bot: str, last_seen: int) -> None:
        raise RuntimeError(bot)


def test_every_verb_of_the_protocol_is_handed_on() -> None:
    class All(NullTelemetry):
        pass

    told: list[str] = []
    for name in VERBS:
        setattr(All, name, lambda *_, name=name, **__: told.append(name))
    several: Telemetry = Several(All(), All())
    for name in VERBS:
        required = inspect.signature(getattr(Telemetry, name)).parameters.values()
        named = {one.name: None for one in required if one.kind is one.KEYWORD_ONLY}
        positional = [None for one in required if one.kind is one.POSITIONAL_OR_KEYWORD][1:]
        getattr(several, name)(*positional, **named)

    assert len(VERBS) > 25
    assert told == [name for name in VERBS for _ in range(2)]


def test_a_fact_that_one_listener_takes_goes_straight_to_it() -> None:
    counts = Counts()
    several = Several(NullTelemetry(), counts, Broken())

    assert several.received == counts.received


def test_a_fact_that_nobody_takes_goes_nowhere() -> None:
    several = Several(Counts(), Broken())

    assert "accepted" not in vars(several)
    several.duplicate(source="tv", id_="s1")


def test_a_listener_that_raises_is_logged_and_stops_neither_the_others_nor_the_part_that_reports(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts = Counts()

    with caplog.at_level(logging.ERROR):
        Several(Broken(), counts).bot_dead(bot="demo", last_seen=1)

    assert counts.dead == ["demo"]
    assert "RuntimeError: demo" in caplog.text
