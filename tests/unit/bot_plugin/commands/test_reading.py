"""What a message on a command topic comes to before anything is run: a call, or why there is none and who is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot_plugin.commands.outcome import Outcome
from bot_plugin.commands.reading import LARGEST, Call, Refusal, Rules, read
from bot_plugin.transport import Message
from schemas.signature import CommandKey, Signed, sign
from schemas.topics import Topics

NOW = 1_786_000_000_000_000
REPLY = "signals/v1/reply/demo/desk/7f3a"
KEY = CommandKey(kid="main", secret=b"m" * 32)
OTHER = CommandKey(kid="other", secret=b"o" * 32)

OPEN = Rules(bot="demo", topics=Topics())
LOCKED = Rules(bot="demo", topics=Topics(), keys={"main": KEY, "other": OTHER})
STRICT = Rules(bot="demo", topics=Topics(), legacy=False)


def message(name: str = "stop", header: Any = None, data: Any = None, *, raw: bytes | None = None) -> Message:
    payload = json.dumps({"header": header, "data": data}).encode() if raw is None else raw
    return Message(topic=f"hbot/demo/{name}", payload=payload)


def signed_header(topic: str = "hbot/demo/stop", *, key: CommandKey = KEY, **changes: Any) -> dict[str, Any]:
    covered = {"topic": topic, "msg_id": "m1", "deadline": NOW + 1_000_000, "reply_to": REPLY, "data": {}, **changes}
    return {"reply_to": REPLY, "signature": sign(Signed(**covered), key)}


def test_a_call_has_what_its_envelope_says() -> None:
    call = read(message("balance/limit", {"reply_to": REPLY, "msg_id": 7, "agent": "desk"}, {"a": 1}), OPEN, now=NOW)

    assert isinstance(call, Call)
    assert (call.name, call.data, call.reply_to, call.msg_id) == ("balance/limit", {"a": 1}, REPLY, "7")
    assert (call.sender, call.good_until) == ("desk", NOW + 30_000_000)


@pytest.mark.parametrize(
    "reply_to", [REPLY, "rpc-" + "0" * 32, "hummingbot-api-response-1", "hummingbot-api/response/2"]
)
def test_a_reply_goes_where_clients_wait_for_one(reply_to: str) -> None:
    assert isinstance(read(message("stop", {"reply_to": reply_to}), OPEN, now=NOW), Call)
    assert isinstance(read(message("stop", {"reply_to": reply_to}), STRICT, now=NOW), Call) == (reply_to == REPLY)


WEAPONS = [
    *("", "hbot/other/stop", "hbot/demo/stop", "signals/v1/reply/other/desk/1", "signals/v1/reply/demo/desk"),
    *("signals/v1/reply/demo/desk/1/2", "signals/v1/reply/demo/+/1", "signals/v1/reply/demo/desk/#", "rpc-" + "0" * 31),
    *("rpc-" + "0" * 32 + "/stop", "hummingbot-api-response-1/x", "gw/replies/7f3a", "$SYS/x", "signals/v1/bot/demo"),
    *("signals/v1/reply/demo/desk/1\n", "x" * 257),
]


@pytest.mark.parametrize("reply_to", WEAPONS)
def test_any_other_reply_topic_is_refused_and_nobody_is_told(reply_to: str) -> None:
    refused = read(message("stop", {"reply_to": reply_to}), OPEN, now=NOW)

    assert isinstance(refused, Refusal)
    assert (refused.outcome, refused.reply_to) == (Outcome.REPLY_TO, "") or len(reply_to) > 256
    assert len(reply_to) > 256 or f"reply_to is {reply_to!r}" in refused.reason


@pytest.mark.parametrize(
    ("document", "outcome", "answered"),
    [
        (b'{"header":{"reply_to":"%s"},"data":1}' % REPLY.encode(), Outcome.INVALID, True),
        (b'{"header":{"reply_to":"%s","msg_id":[]}}' % REPLY.encode(), Outcome.INVALID, True),
        (b'{"header":{"reply_to":"hbot/b/stop"},"data":1}', Outcome.UNREADABLE, False),
        (b'{"header":{"reply_to":[]},"data":{}}', Outcome.UNREADABLE, False),
        (b'{"header":1,"data":{}}', Outcome.UNREADABLE, False),
        (b"{}", Outcome.REPLY_TO, False),
        (b"1", Outcome.UNREADABLE, False),
        (b"", Outcome.UNREADABLE, False),
        (b"\xff\xfe", Outcome.UNREADABLE, False),
        (b'{"header":{"reply_to":"%s"},"header":{}}' % REPLY.encode(), Outcome.UNREADABLE, False),
        (b" " * (LARGEST + 1), Outcome.UNREADABLE, False),
    ],
)
def test_what_cannot_be_read_is_answered_where_its_reply_topic_can(
    document: bytes, outcome: Outcome, *, answered: bool
) -> None:
    refused = read(message(raw=document), OPEN, now=NOW)

    assert isinstance(refused, Refusal)
    assert (refused.outcome, refused.reply_to == REPLY) == (outcome, answered)


def test_the_same_call_has_the_same_key_whatever_else_its_header_says() -> None:
    header = {"reply_to": REPLY, "msg_id": "m1", "agent": "desk"}
    calls = [
        read(message("stop", {**header, "timestamp": NOW, "deadline": NOW + 5, "properties": {}}), OPEN, now=NOW),
        read(message("stop", {**header, "reply_to": f"{REPLY}b"}), OPEN, now=NOW + 1),
        read(message("stop", header, {}), OPEN, now=NOW),
    ]

    assert len({(call.key, call.fingerprint) for call in calls if isinstance(call, Call)}) == 1


def test_an_id_is_not_taken_for_a_reply_topic() -> None:
    with_id = read(message("stop", {"reply_to": REPLY, "msg_id": "rpc-" + "0" * 32}), OPEN, now=NOW)
    without = read(message("stop", {"reply_to": "rpc-" + "0" * 32}), OPEN, now=NOW)

    assert isinstance(with_id, Call)
    assert isinstance(without, Call)
    assert with_id.key != without.key


def test_the_order_of_parameters_makes_no_other_call() -> None:
    one, two = (
        read(message("stop", {"reply_to": REPLY}, data), OPEN, now=NOW) for data in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    )

    assert isinstance(one, Call)
    assert isinstance(two, Call)
    assert one.fingerprint == two.fingerprint


def test_of_a_signed_command_what_is_signed_counts_and_nothing_beside_it() -> None:
    header = signed_header(data={"skip_order_cancellation": True}) | {
        "reply_to": "hbot/other/stop",
        "msg_id": "forged",
        "agent": "forged",
        "deadline": NOW + 10**12,
        "timestamp": 1,
    }
    call = read(message("stop", header, {"skip_order_cancellation": False}), LOCKED, now=NOW)

    assert isinstance(call, Call)
    assert (call.data, call.reply_to, call.msg_id) == ({"skip_order_cancellation": True}, REPLY, "m1")
    assert (call.sender, call.good_until) == ("main", NOW + 1_000_000)


def test_a_replayed_signature_is_the_same_call_whatever_the_header_says_of_its_sender() -> None:
    header = signed_header()
    calls = [read(message("stop", {**header, "agent": name, "msg_id": name}), LOCKED, now=NOW) for name in "abc"]

    assert len({call.key for call in calls if isinstance(call, Call)}) == 1


def test_two_keys_are_two_senders() -> None:
    calls = [read(message("stop", signed_header(key=key)), LOCKED, now=NOW) for key in (KEY, OTHER)]

    assert len({call.key for call in calls if isinstance(call, Call)}) == 2


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"reply_to": REPLY}, "the command is not signed, and this bot runs signed ones only"),
        (signed_header("hbot/demo/status"), "the signature is for 'hbot/demo/status', not for 'hbot/demo/stop'"),
        (signed_header("hbot/other/stop"), "the signature is for 'hbot/other/stop', not for 'hbot/demo/stop'"),
        (signed_header(deadline=NOW - 1_000), "the signed deadline is over"),
        (signed_header(deadline=NOW + 301_000_000), "the signed deadline is more than 300 s ahead"),
        (signed_header(key=CommandKey(kid="main", secret=b"x" * 32)), "the signature is not valid"),
        (signed_header(key=CommandKey(kid="x", secret=b"x" * 32)), "no key 'x' is known here"),
    ],
)
def test_a_command_without_a_valid_signature_is_refused_and_told_why(header: dict[str, Any], reason: str) -> None:
    refused = read(message("stop", header), LOCKED, now=NOW)

    assert isinstance(refused, Refusal)
    assert (refused.outcome, refused.reply_to) == (Outcome.SIGNATURE, REPLY)
    assert reason in refused.reason


def test_the_reply_topic_of_an_unsigned_command_is_no_weapon_either() -> None:
    refused = read(message("stop", {"reply_to": "hbot/other/stop"}), LOCKED, now=NOW)

    assert isinstance(refused, Refusal)
    assert refused.reply_to == ""


def test_a_signed_reply_topic_is_no_weapon_either() -> None:
    refused = read(message("stop", signed_header(reply_to="hbot/other/stop")), LOCKED, now=NOW)

    assert isinstance(refused, Refusal)
    assert (refused.outcome, refused.reply_to) == (Outcome.REPLY_TO, "")


def test_a_bot_without_keys_takes_no_notice_of_signatures() -> None:
    call = read(message("stop", {"reply_to": REPLY, "signature": "x", "msg_id": "m1"}), OPEN, now=NOW)

    assert isinstance(call, Call)


def test_what_is_on_no_command_topic_is_called_by_its_topic() -> None:
    refused = read(Message(topic="elsewhere", payload=b""), OPEN, now=NOW)

    assert isinstance(refused, Refusal)
    assert refused.name == "elsewhere"
