"""Which figures are told when."""

from __future__ import annotations

from bot_plugin.hummingbot.figures import EVERY, Figures


def test_figures_are_told_when_they_change_and_now_and_then() -> None:
    """At first, not again while they are the same, at once as they change, and after ten seconds in any case."""
    figures = Figures()
    told = [
        figures.choose({"a": {"pnl": pnl}}, elsewhere=(), now=now)
        for now, pnl in [(0.0, 1), (1.0, 1), (2.0, 2), (3.0, 2), (2.0 + EVERY, 2)]
    ]

    assert told == [{"a": {"pnl": 1}}, {}, {"a": {"pnl": 2}}, {}, {"a": {"pnl": 2}}]


def test_what_has_ended_is_told_once_as_empty() -> None:
    """As Hummingbot's own script has it."""
    figures = Figures()
    figures.choose({"a": {"pnl": 1}, "b": {"pnl": 2}}, elsewhere=(), now=0)

    assert figures.choose({"b": {"pnl": 2}}, elsewhere=(), now=1) == {"a": {}}
    assert figures.choose({"b": {"pnl": 2}}, elsewhere=(), now=2) == {}


def test_what_somebody_else_tells_is_not_told() -> None:
    """Neither its figures nor its end; when the other falls silent, all is told again."""
    figures = Figures()

    assert figures.choose({"a": {"pnl": 1}}, elsewhere={"a"}, now=0) == {}
    assert figures.choose({"a": {"pnl": 1}}, elsewhere=(), now=1) == {"a": {"pnl": 1}}
    assert figures.choose({"a": {"pnl": 2}}, elsewhere={"a"}, now=2) == {}
    assert figures.choose({}, elsewhere={"a"}, now=3) == {}
