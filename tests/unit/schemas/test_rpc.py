"""Hummingbot's RPC: what stock bots and clients write is read, and a chosen reply topic is no weapon."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError
from schemas.rpc import PATIENCE, Reply, Request, may_reply, read_reply, read_request, write_reply, write_request
from schemas.topics import Topics

AT = 1_786_000_000_000_000
CALL = "0" * 31 + "a"


def test_the_request_of_a_stock_client_is_read() -> None:
    request = read_request(
        b'{"header":{"reply_to":"gw/replies/7f3a","timestamp":1786000000000,"msg_id":"7f3a","node_id":"gw",'
        b'"agent":"gw","properties":{}},"data":{"async_backend":false}}'
    )

    assert request == Request(
        data={"async_backend": False}, reply_to="gw/replies/7f3a", msg_id="7f3a", sender="gw", timestamp=AT
    )


def test_the_request_of_commlib_in_nanoseconds_and_without_an_id_is_read() -> None:
    request = read_request(
        b'{"header":{"reply_to":"rpc-%s","timestamp":1786000000000000000,"content_type":"json","encoding":"utf8",'
        b'"agent":"commlib"},"data":{}}' % (b"0" * 32)
    )

    assert (request.timestamp, request.msg_id, request.sender) == (AT, "", "commlib")


@pytest.mark.parametrize("none", [b"-1", b'"-1"', b"null", b'""'])
def test_an_id_that_every_message_has_is_none(none: bytes) -> None:
    assert read_request(b'{"header":{"msg_id":%s}}' % none) == Request()


@pytest.mark.parametrize("payload", [b"{}", b'{"header":null,"data":null}', b'{"header":{}}'])
def test_what_is_missing_in_a_request_is_empty(payload: bytes) -> None:
    assert read_request(payload) == Request()


@pytest.mark.parametrize(
    ("payload", "where"),
    [
        *((b"", ""), (b"1", ""), (b"[]", ""), (b"\xff", ""), (b"{", ""), (b'{"a":1,"a":1}', "")),
        *((b'{"header":1}', "header"), (b'{"data":[]}', "data"), (b'{"header":{"reply_to":[]}}', "header.reply_to")),
        *((b'{"header":{"msg_id":"%s"}}' % (b"x" * 257), "header.msg_id"),),
        *((b'{"header":{"deadline":"soon"}}', "header.deadline"), (b'{"header":{"deadline":-1}}', "header.deadline")),
    ],
)
def test_what_is_no_request_is_refused_at_its_place(payload: bytes, where: str) -> None:
    with pytest.raises(ContractError) as raised:
        read_request(payload)

    assert [fault.where for fault in raised.value.faults] == [where]


def test_a_request_is_written_in_milliseconds_and_without_what_is_not_known() -> None:
    written = json.loads(
        write_request(Request(reply_to="r", msg_id="m", sender="s", timestamp=AT, deadline=AT + 1_999))
    )

    assert written == {
        "header": {
            "reply_to": "r",
            "timestamp": AT // 1_000,
            "deadline": AT // 1_000 + 1,
            "msg_id": "m",
            "node_id": "s",
            "agent": "s",
        },
        "data": {},
    }
    assert json.loads(write_request(Request())) == {"header": {"reply_to": ""}, "data": {}}


def test_a_reply_has_the_bytes_of_the_stock_bridge() -> None:
    assert write_reply(Reply(status=200, timestamp=AT)) == (
        b'{"header":{"reply_to":"","timestamp":1786000000000,"content_type":"json","encoding":"utf8",'
        b'"agent":"commlib"},"data":{"status":200,"msg":""}}'
    )


def test_a_reply_is_read_with_all_that_it_answers() -> None:
    reply = read_reply(b'{"header":{},"data":{"status":400,"msg":null,"trades":[1],"data":null}}')

    assert reply == Reply(status=400, msg="", more={"trades": [1], "data": None})
    assert not reply.ok


@pytest.mark.parametrize(
    "payload", [b"", b"1", b"{}", b'{"data":{}}', b'{"data":{"status":"200"}}', b'{"data":{"status":true}}']
)
def test_what_is_no_reply_is_refused(payload: bytes) -> None:
    with pytest.raises(ContractError):
        read_reply(payload)


@pytest.mark.parametrize(
    ("request_", "until"),
    [
        (Request(), AT + PATIENCE),
        (Request(timestamp=AT - 10), AT - 10 + PATIENCE),
        (Request(timestamp=AT + 3_600_000_000), AT + PATIENCE),
        (Request(deadline=AT + 5, timestamp=1), AT + 5),
    ],
)
def test_a_request_is_good_until_its_deadline_else_half_a_minute_and_a_clock_ahead_wins_nothing(
    request_: Request, until: int
) -> None:
    assert request_.good_until(arrived_at=AT) == until


@pytest.mark.parametrize(
    "topic",
    [
        *(f"signals/v1/reply/demo/gateway/{CALL}", f"rpc-{'0' * 32}", "hummingbot-api-response-1786000000000"),
        "hummingbot-api/response/1786000000000",
    ],
)
def test_a_bot_replies_where_callers_listen(topic: str) -> None:
    assert may_reply(topic, bot="demo", topics=Topics())


@pytest.mark.parametrize(
    "topic",
    [
        *("", "hbot/other/stop", "hbot/demo/stop", "signals/v1/reply/other/gateway/x", "signals/v1/reply/demo"),
        *("signals/v1/reply/demo/gateway/x/y", "signals/v1/reply/demo/+/x", "signals/v1/reply/demo/a/#", "$SYS/a"),
        *(f"rpc-{'0' * 32}\n", f"rpc-{'A' * 32}", f"rpc-{'0' * 31}", "signals/v1/trade/s/BTC-USDT", "rpc-\u0661"),
        "hummingbot-api-response-\u0661",
    ],
)
def test_no_other_topic_is_replied_to(topic: str) -> None:
    assert not may_reply(topic, bot="demo", topics=Topics())


def test_the_replies_of_other_protocols_can_be_switched_off() -> None:
    assert not may_reply(f"rpc-{'0' * 32}", bot="demo", topics=Topics(), legacy=False)


@given(st.text())
def test_a_chosen_reply_topic_never_reaches_a_bot_or_a_signal(topic: str) -> None:
    if may_reply(topic, bot="demo", topics=Topics()):
        assert topic.startswith(("signals/v1/reply/demo/", "rpc-", "hummingbot-api"))


@given(st.binary() | st.dictionaries(st.text(), st.integers() | st.text()).map(lambda d: json.dumps(d).encode()))
def test_any_bytes_are_read_or_refused_in_peace(payload: bytes) -> None:
    for read in (read_request, read_reply):
        reader: Any = read
        with suppress(ContractError):
            reader(payload)


@pytest.mark.parametrize(
    "header",
    [
        b'{"reply_to":"","timestamp":1786000000000}',
        b'{"timestamp":1786000000000,"reply_to":"","content_type":"json","encoding":"utf8","agent":"commlib"}',
        b'{"reply_to":"","timestamp":1786000000000000000,"content_type":"json","encoding":"utf8","agent":"commlib"}',
        b'{"timestamp":"1786000000000","properties":{"content_type":"application/json","content_encoding":"utf8"}}',
    ],
    ids=["commlib-py 0.10", "commlib-py 0.11", "commlib-py 0.13, in nanoseconds", "before the bridge was merged"],
)
def test_a_reply_of_an_older_bot_is_read(header: bytes) -> None:
    payload = b'{"data":{"status":200,"msg":"","trades":[]},"header":%s}' % header

    assert read_reply(payload) == Reply(status=200, more={"trades": []}, timestamp=1_786_000_000_000_000)
