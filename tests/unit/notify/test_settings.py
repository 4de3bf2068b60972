"""What a target gets, and what of its URL is shown."""

from __future__ import annotations

import pytest

from gateway.notify.problems import Kind, Problem
from gateway.notify.settings import Target, place


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("json://127.0.0.1:8000/path?x=y", "json://127.0.0.1"),
        ("jsons://user:hunter2@hooks.example.com/hunter2", "jsons://hooks.example.com"),
        ("mailtos://me:hunter2@example.com?to=you@example.com", "mailtos"),
        ("mailto://me:hunter2@example.com", "mailto://example.com"),
        ("tgram://hunter2:hunter2/12345", "tgram"),
        ("discord://12345/hunter2", "discord"),
        ("ntfy://hunter2", "ntfy"),
        ("https://discord.com/api/webhooks/1/hunter2", "https"),
        ("jsons://user:hunter2/hunter2@example.com/", "jsons"),
        ("jsons://[hunter2/", "jsons"),
        ("JSON://Example.com/", "json://example.com"),
        ("hunter2", "?"),
        ("", "?"),
    ],
)
def test_of_a_url_the_scheme_is_shown_and_the_host_where_it_is_surely_one(url: str, shown: str) -> None:
    target = Target(number=2, url=url)

    assert place(url) == shown
    assert target.name == f"target 2, {shown}"
    assert "hunter2" not in repr(target) + target.name


def problem(kind: Kind, *, source: str | None = None, bots: tuple[str, ...] = ()) -> Problem:
    return Problem(kind=kind, subject="x", text="x", at=0, source=source, bots=bots)


def test_a_target_without_filters_wants_everything() -> None:
    target = Target(number=1, url="json://a")

    assert all(target.wants(problem(kind, source="tv", bots=("demo",))) for kind in Kind)


def test_kinds_sources_and_bots_leave_out_what_is_of_others() -> None:
    target = Target(number=1, url="json://a", kinds=(Kind.FAILED, Kind.BROKER_AWAY), sources=("tv",), bots=("demo",))

    assert target.wants(problem(Kind.FAILED, source="tv", bots=("other", "demo")))
    assert not target.wants(problem(Kind.REFUSED, source="tv", bots=("demo",)))
    assert not target.wants(problem(Kind.FAILED, source="other", bots=("demo",)))
    assert not target.wants(problem(Kind.FAILED, source="tv", bots=("other",)))


def test_what_concerns_no_source_and_no_bot_passes_those_filters() -> None:
    target = Target(number=1, url="json://a", sources=("tv",), bots=("demo",))

    assert target.wants(problem(Kind.BROKER_AWAY))
    assert target.wants(problem(Kind.BOT_DEAD, bots=("demo",)))
    assert target.wants(problem(Kind.REFUSED, source="tv"))
