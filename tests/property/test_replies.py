"""Whatever a bot, or whoever may publish in its name, replies: a call has one outcome, and none of it is guessed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.bots.calls import Call, Ended, Outcome, compose, judge
from gateway.web.commands import _answer
from gateway.web.problem import Problem, answer
from schemas.rpc import read_request
from schemas.topics import TopicError, Topics

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
REPLIES = st.one_of(
    st.binary(),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {}, optional={"header": JSON, "data": JSON | st.fixed_dictionaries({}, optional={
            "status": st.sampled_from([200, 400, 200.0, True, "200", 500, None]), "msg": JSON, "data": JSON,
            "outcome": JSON, "code": JSON,
        })},
    ).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip
CALL = Call(bot="one", command="status", data={}, who="alice", timeout=1)


@given(payload=REPLIES)
def test_any_bytes_are_one_outcome_and_done_or_refused_only_where_the_reply_says_so(payload: bytes) -> None:
    ended = judge(payload, bot="one")
    status = said(payload)

    assert ended.outcome is {200: Outcome.DONE, 400: Outcome.REFUSED}.get(status, Outcome.UNKNOWN)
    assert bool(ended.words) == (ended.outcome is not Outcome.DONE)


def said(payload: bytes) -> Any:
    """The status of a reply as a strict reader takes it; None where there is none."""
    try:
        status = json.loads(payload, parse_constant=_none)["data"]["status"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return status if type(status) is int else None


def _none(constant: str) -> None:
    """NaN and its like are no JSON."""
    raise ValueError(constant)


@given(payload=REPLIES)
def test_no_reply_can_choose_the_answers_outcome_code_or_status(payload: bytes) -> None:
    ended = judge(payload, bot="one")
    status, document = answered(ended)

    assert (status, document["outcome"]) == (
        {Outcome.DONE: 200, Outcome.REFUSED: 409, Outcome.UNKNOWN: 504}[ended.outcome],
        ended.outcome.value,
    )
    assert document.get("code") == {200: None, 409: "refused_by_bot", 504: "unanswered"}[status]
    assert (document["bot"], document["command"]) == ("one", "status")


def answered(ended: Ended) -> tuple[int, Any]:
    """What the API answers: status and document."""
    try:
        response = _answer(CALL, ended)
    except Problem as problem:
        response = answer(problem)
    assert isinstance(response.body, bytes)
    return response.status, json.loads(response.body)


@given(data=st.dictionaries(st.text(), JSON), bot=st.text(), command=st.text())
def test_any_call_is_spelled_as_it_is_read_or_not_sent(data: dict[str, Any], bot: str, command: str) -> None:
    call = Call(bot=bot, command=command, data=data, who="alice", timeout=1)
    try:
        message = compose(call, id_="7", number="0" * 32, now=10**15, deadline=10**15 + 5000, topics=Topics(), key=None)
    except (ValueError, TopicError):
        return
    request = read_request(message.payload)

    assert request.data == data
    assert message.topic == f"hbot/{bot}/{command}"
    assert not set(bot) & set("+#/")
