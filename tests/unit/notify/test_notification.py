"""What a stranger wrote is shown to a person without its secrets, its tricks and most of its length."""

from __future__ import annotations

import pytest

from gateway.notify.notification import Entry, clean, compose
from gateway.notify.problems import Kind, Problem


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  \nWinding down...\n", "Winding down..."),
        ("two\nlines", "two\nlines"),
        ("\x1b[31mred\x07 \u202egnirts", "[31mred   gnirts"),
        ("GET https://a.example/?api_key=hunter2hunter2 failed", "GET https://a.example/?api_key=[redacted] failed"),
        ("token sg_abcdefghijklmnop", "token [redacted]"),
        ("password=hunter2hunter2", "password=[redacted]"),
        ("buy now @everyone, @here and <!channel>", "buy now @ everyone, @ here and <! channel>"),
        ("mail me@herenow.example", "mail me@herenow.example"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_a_text_is_cleaned(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_no_part_of_a_notification_shows_a_secret_of_a_reason_a_bot_or_an_end() -> None:
    secret = "password=hunter2hunter2"
    failed = Problem(kind=Kind.FAILED, subject=secret, text=secret, at=0, signal=secret)
    words = Problem(kind=Kind.BOT_NOTIFIED, subject="bot demo", text=secret, at=0)
    dead = Problem(kind=Kind.BOT_DEAD, subject="bot demo", text=secret, at=0)
    entries = [Entry(problem=failed), Entry(problem=words), Entry(problem=dead, ended=dead)]
    for shown in ([entry] for entry in entries):
        told = compose(shown, {})

        assert "hunter2" not in told.title + told.body
        assert "[redacted]" in told.body


def test_each_line_of_a_bots_words_has_its_name_so_that_none_looks_like_anothers() -> None:
    words = Problem(kind=Kind.BOT_NOTIFIED, subject="bot demo", text="filled\n\nbot other: lost", at=0)

    assert compose([Entry(problem=words)], {}).body == "bot demo: filled\nbot demo: bot other: lost"


def entry(kind: Kind, *, count: int = 1, over: bool = False, subject: str = "bot demo") -> Entry:
    told = Problem(kind=kind, subject=subject, text="x", at=0)
    return Entry(problem=told, count=count, ended=told if over else None)


@pytest.mark.parametrize(
    ("entries", "title"),
    [
        ([entry(Kind.BOT_NOTIFIED)], "message of bot demo"),
        ([entry(Kind.BOT_NOTIFIED, count=2)], "2 messages of bot demo"),
        ([entry(Kind.BOT_DEAD)], "bot dead, bot demo"),
        ([entry(Kind.BOT_DEAD, count=0, over=True)], "bot dead no longer, bot demo"),
        ([entry(Kind.BROKER_AWAY, subject="broker")], "broker away"),
        ([entry(Kind.BROKER_AWAY, count=0, over=True, subject="broker")], "broker back"),
        (
            [entry(Kind.BOT_NOTIFIED), entry(Kind.BOT_DEAD, count=0, over=True)],
            "1 message of a bot, 1 bot dead no longer",
        ),
        (
            [entry(Kind.BOT_NOTIFIED, count=2), *[entry(Kind.BOT_DEAD, count=7)] * 2, entry(Kind.BROKER_AWAY)],
            "broker away, 2 bots dead, 2 messages of bots",
        ),
        ([entry(Kind.REDUCE_EXPIRED, count=2), entry(Kind.REFUSED, count=3)], "2 exits expired, 3 refused"),
        (
            [entry(Kind.SOURCE_SILENT, count=0, over=True), entry(Kind.JOURNAL_UNWRITABLE, count=0, over=True)],
            "journal writable again, 1 source heard again",
        ),
    ],
)
def test_a_title_says_how_many_of_what_in_grammar(entries: list[Entry], title: str) -> None:
    assert compose(entries, {}).title == f"signal-gateway: {title}"
