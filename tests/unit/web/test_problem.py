"""What went wrong is one kind of document, whatever it was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import Code, Misconfigured, NotStored, Refused, Unauthorised
from gateway.web.problem import Problem, answer
from schemas.errors import Fault


def document(error: Exception) -> dict[str, Any]:
    response = answer(error)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert isinstance(response.body, bytes)
    made: dict[str, Any] = json.loads(response.body)
    assert made["status"] == response.status
    assert made["type"] == f"urn:signal-gateway:problem:{made['code']}"
    assert made["title"]
    return made


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_its_status_and_title(code: Code) -> None:
    made = document(Refused(code, Fault(where="a", problem="is wrong")))
    assert (made["status"], made["code"], made["title"]) == (code.status, code.code, code.title)


def test_each_fault_says_where_and_absent_is_absent() -> None:
    first = Fault(where="order.price", problem="is no number", found="NaN", cause="Fill it.", line=3, column=7)
    made = document(Refused(Code.INVALID, first, Fault(where="", problem="is odd")))
    assert made["errors"] == [
        {
            "where": "order.price",
            "problem": "is no number",
            "found": "NaN",
            "cause": "Fill it.",
            "line": 3,
            "column": 7,
        },
        {"where": "", "problem": "is odd", "cause": ""},
    ]
    assert made["detail"].endswith("And 1 more.")


def test_found_text_that_is_not_unicode_can_be_answered() -> None:
    assert document(Refused(Code.INVALID, Fault(where="a", problem="is odd", found="\ud800\n\0")))["errors"]


def test_all_unauthorised_callers_are_told_the_same() -> None:
    answers = [answer(Unauthorised(cause)) for cause in ("unknown_source", "wrong_secret", "address")]
    assert len({(a.status, a.body, tuple(a.headers.items())) for a in answers}) == 1
    assert answers[0].status == 401


@pytest.mark.parametrize("cause", ["disk", "share", "rate", "stopping", "busy", "new one"])
def test_what_was_not_stored_is_to_be_sent_again_and_the_operators_part_stays_here(cause: str) -> None:
    error = NotStored(cause, "/var/lib/journal is full")
    assert answer(error).headers["Retry-After"] == "5"
    made = document(error)
    assert made["status"] == 503
    assert "journal" not in json.dumps(made)


def test_a_method_that_is_not_allowed_names_those_that_are() -> None:
    response = answer(Problem.method("GET", "POST"))
    assert (response.status, response.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("error", [RuntimeError("secret path"), Misconfigured("secret path"), KeyError("secret path")])
def test_an_unforeseen_error_says_nothing(error: Exception) -> None:
    made = document(error)
    assert made["status"] == 500
    assert "secret path" not in json.dumps(made)
