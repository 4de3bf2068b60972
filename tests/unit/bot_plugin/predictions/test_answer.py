"""What an answer means, case by case."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot_plugin.predictions.answer import Step, Told, Verdict, judge, read_line
from bot_plugin.predictions.results import Fault, Outcome

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
PROBLEM = {"content-type": "application/problem+json"}


def verdict(status: int, *, lines: int = 3, body: Any = None, **headers: str) -> Verdict:
    named = {
        **(PROBLEM if body is not None else {}),
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    return judge(status, named, b"" if body is None else json.dumps(body).encode(), lines=lines, now=NOW)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_sent_again(status: int) -> None:
    """The gateway's own trouble, a proxy's, or too much at once."""
    assert verdict(status).step is Step.AGAIN


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 410, 413, 415, 422])
def test_what_stays_is_refused(status: int) -> None:
    """One prediction alone that is too large included."""
    assert verdict(status, lines=1).step is Step.REFUSED


def test_too_large_a_request_is_made_smaller() -> None:
    """As long as there is more than one prediction in it."""
    assert verdict(413, lines=2).step is Step.FEWER


@pytest.mark.parametrize(
    ("status", "body"), [(503, None), (502, None), (502, {}), (500, {})], ids=["a 503", "a 502", "502", "500"]
)
def test_only_the_gateway_itself_can_say_that_nothing_was_stored(status: int, body: dict[str, str] | None) -> None:
    """A proxy's page says nothing of what became of the request behind it, and a 500 may come after the commit."""
    assert not verdict(status, body=body).certain
    assert verdict(503, body={}).certain
    assert verdict(429, body={}).certain


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("Thu, 26 Nov 2026 10:00:09 GMT", 9),
        ("Thu, 26 Nov 2026 09:00:00 GMT", 0),
        ("99999", 300),
        ("Fri, 27 Nov 2026 10:00:00 GMT", 300),
        ("-5", 0),
        ("soon", 0),
        (f"Mon, 01 Jan {10**20} 00:00:00 GMT", 0),
        ("٣", 0),
        ("", 0),
    ],
)
def test_a_retry_after_is_seconds_or_a_time_and_at_most_five_minutes(text: str, seconds: float) -> None:
    """And nothing where it cannot be read."""
    assert verdict(503, retry_after=text).after == seconds


def test_a_problem_is_told_in_the_gateways_words() -> None:
    """Title, detail, and each fault."""
    error = {"where": "[0].model", "problem": "is missing.", "line": 1}
    problem = {"title": "Not valid", "detail": "The model is missing.", "errors": [error, 7]}

    told = verdict(422, body=problem)

    assert told.reason == "the answer was 422 (Not valid: The model is missing.)"
    assert told.faults == (Fault(where="[0].model", problem="is missing"),)


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("Thu, 26 Nov 2026 09:50:00 GMT", "this machine's clock is 600 s ahead of the gateway's"),
        ("Thu, 26 Nov 2026 10:10:00 GMT", "this machine's clock is 600 s behind the gateway's"),
    ],
)
def test_clocks_that_are_apart_are_named_where_nobody_is_let_in(date: str, words: str) -> None:
    """Where they agree, the key is wrong and not the clock."""
    assert verdict(401, date=date).reason.endswith(words)
    assert "clock" not in verdict(401, date="Thu, 26 Nov 2026 10:00:02 GMT").reason
    assert "clock" not in verdict(401, date="now").reason


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"line":2,"id":"x","status":"accepted"}', Told(outcome=Outcome.ACCEPTED, id="x", place=1)),
        ('{"id":"x","status":"duplicate","new":1}', Told(outcome=Outcome.DUPLICATE, id="x")),
        ('{"done":true,"accepted":1}', Told(done=True)),
        ('{"done":false,"status":503,"detail":"Full."}', Told(stopped=True, reason="Full.")),
        ('{"done":false}', Told(stopped=True, reason="the gateway could not store it")),
        ('{"status":"refused"}', Told(outcome=Outcome.REFUSED, reason="the gateway refused it")),
        ('{"status":"later"}', Told(reason="the gateway did not say what became of it")),
        ('{"status":["accepted"],"line":true}', Told(reason="the gateway did not say what became of it")),
        ('{"status":"accepted","id":5,"line":-1}', Told(outcome=Outcome.ACCEPTED)),
        ("[]", None),
        ("accepted", None),
        ("\xff", None),
        ("[" * 100_000, None),
    ],
)
def test_a_line_is_read_as_far_as_it_says_something(line: str, told: Told | None) -> None:
    """Fields that are not known are ignored."""
    assert read_line(line.encode("latin-1")) == told
