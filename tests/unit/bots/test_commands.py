"""Commands over a link: what is sent, and what every end of a call is called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.bots.calls import MOST_REPLY, NotDelivered, Outcome
from gateway.bots.commands import MOST
from gateway.errors import Refused
from gateway.mqtt import Version
from schemas.rpc import read_request
from schemas.signature import CommandKey, verify
from tests.brokers import eventually
from tests.unit.bots.commanding import DONE, NOW, call, make

__all__ = ["make"]

KEY = CommandKey(kid="gateway", secret=b"k" * 32)


async def test_a_command_is_one_message_that_expires_and_is_never_retained(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: DONE)
    ended = await bench.commands.send(call("balance/limit", timeout=9.5, amount=1))

    (message,) = bench.sent
    assert (message.topic, message.retain, message.expiry) == ("hbot/one/balance/limit", False, 10)
    header = json.loads(message.payload)["header"]
    assert json.loads(message.payload)["data"] == {"amount": 1}
    assert header["reply_to"].startswith("signals/v1/reply/one/gateway/")
    assert len(header["reply_to"].rpartition("/")[2]) == 32
    assert (header["msg_id"], header["agent"], header["node_id"]) == ("id-1", "gateway/alice", "gateway/alice")
    assert header["timestamp"] == NOW // 1000
    assert header["timestamp"] + 9_000 < header["deadline"] <= header["timestamp"] + 9_500
    assert "signature" not in header
    assert (ended.outcome, ended.words) == (Outcome.DONE, "")


async def test_two_calls_have_two_reply_topics_and_get_their_own_replies(make: Callable[..., Any]) -> None:
    bench = await make()

    def echo(payload: bytes) -> bytes:
        return json.dumps({"data": {"status": 200, "data": read_request(payload).data}}).encode()

    await bench.bot(echo)
    ended = await asyncio.gather(*(bench.commands.send(call(number=number)) for number in range(10)))

    assert [one.reply.more["data"]["number"] for one in ended] == list(range(10))
    assert len({read_request(message.payload).reply_to for message in bench.sent}) == 10


async def test_a_bot_with_a_key_gets_a_signature_over_its_topic_and_call(make: Callable[..., Any]) -> None:
    bench = await make(keys={"one": KEY})
    await bench.bot(lambda _: DONE)
    await bench.bot(lambda _: DONE, "two")
    await bench.commands.send(call("stop", skip_order_cancellation=True))
    await bench.commands.send(call("stop", bot="two"))

    one, two = (read_request(message.payload) for message in bench.sent)
    signed = verify(one.signature, topic="hbot/one/stop", keys={"gateway": KEY}, now=NOW)
    assert (signed.msg_id, signed.reply_to, signed.data) == (one.msg_id, one.reply_to, one.data)
    assert signed.deadline == one.deadline
    assert two.signature == ""


async def test_what_the_bot_refuses_is_refused_in_its_own_words(make: Callable[..., Any]) -> None:
    bench = await make()
    words = "'HummingbotApplication' object has no attribute 'strategy'"
    await bench.bot(lambda _: json.dumps({"data": {"status": 400, "msg": words}}).encode())
    ended = await bench.commands.send(call())

    assert (ended.outcome, ended.words) == (Outcome.REFUSED, words)


async def test_a_silent_bot_is_unknown_and_never_failed(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: None)
    ended = await bench.commands.send(call("start", timeout=0.05))

    assert ended.outcome is Outcome.UNKNOWN
    assert ended.words == "one did not answer start within 0.05 s: it may have run the command, or not"
    assert [facts["outcome"] for facts in bench.heard.commands] == ["unknown"]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"\xff", "cannot be read"),
        (b"{}", "cannot be read"),
        (b'{"data":{"status":"200"}}', "cannot be read"),
        (b'{"data":{"status":202}}', "answered with status 202"),
        (b'{"data":{"status":200,"msg":"' + b"x" * MOST_REPLY + b'"}}', f"of which the gateway reads {MOST_REPLY}"),
    ],
    ids=["bytes", "empty", "text", "202", "large"],
)
async def test_a_reply_that_tells_nothing_is_unknown_in_words(
    make: Callable[..., Any], payload: bytes, words: str
) -> None:
    bench = await make()
    await bench.bot(lambda _: payload)
    ended = await bench.commands.send(call())

    assert ended.outcome is Outcome.UNKNOWN
    assert words in ended.words
    assert ended.reply is None


async def test_where_the_broker_says_that_nobody_listens_nothing_was_run(make: Callable[..., Any]) -> None:
    bench = await make()
    with pytest.raises(NotDelivered, match=r"^Nobody listens on hbot/one/status: there is no bot one: "):
        await bench.commands.send(call())
    assert len(bench.sent) == 1


async def test_where_the_brokers_tables_say_so_nothing_is_sent(make: Callable[..., Any]) -> None:
    bench = await make(version=Version.V311, tables=True)
    with pytest.raises(NotDelivered, match="there is no bot one"):
        await bench.commands.send(call())
    assert bench.sent == []


async def test_a_broker_that_cannot_tell_leaves_an_absent_bot_unknown(make: Callable[..., Any]) -> None:
    bench = await make(version=Version.V311)
    assert (await bench.commands.send(call(timeout=0.05))).outcome is Outcome.UNKNOWN


async def test_where_the_broker_refuses_the_reason_and_the_cure_are_named(make: Callable[..., Any]) -> None:
    bench = await make()
    bench.broker.deny("hbot/one/status")
    with pytest.raises(NotDelivered, match=r"not authorised.*permissions"):
        await bench.commands.send(call())
    assert [facts["outcome"] for facts in bench.heard.commands] == ["not_delivered"]


async def test_while_the_broker_is_away_nothing_is_sent(make: Callable[..., Any]) -> None:
    bench = await make()
    bench.broker.cut()
    with pytest.raises(NotDelivered, match="no connection to the broker"):
        await bench.commands.send(call())


async def test_a_connection_that_ends_on_the_way_is_unknown_unless_the_reply_still_comes(
    make: Callable[..., Any],
) -> None:
    bench = await make()
    bot = await bench.bot(lambda _: None)
    bench.broker.hold()
    lost, answered = (asyncio.create_task(bench.commands.send(call(timeout=0.3))) for _ in range(2))
    await eventually(lambda: len(bench.sent) == 2)
    bench.broker.cut()
    bench.broker.restore()
    await bench.link.wait_connected()
    await bot.wait_connected()
    bot.publish(read_request(bench.sent[1].payload).reply_to, DONE)

    assert (await answered).outcome is Outcome.DONE
    assert (await lost).outcome is Outcome.UNKNOWN
    assert "the connection to the broker was lost on the way" in (await lost).words
    assert len(bench.sent) == 2


async def test_a_full_window_is_waited_for(make: Callable[..., Any]) -> None:
    bench = await make(window=1)
    await bench.bot(lambda _: DONE)
    bench.broker.hold()
    bench.link.publish("signals/v1/x", b"")
    calling = asyncio.create_task(bench.commands.send(call()))
    await asyncio.sleep(0.03)
    assert bench.sent == []
    bench.broker.release()

    assert (await calling).outcome is Outcome.DONE


async def test_a_window_that_stays_full_ends_the_call_before_it_was_sent(make: Callable[..., Any]) -> None:
    bench = await make(window=1)
    bench.broker.hold()
    bench.link.publish("signals/v1/x", b"")
    with pytest.raises(NotDelivered, match="too slowly"):
        await bench.commands.send(call(timeout=0.05))
    assert bench.sent == []


async def test_parameters_that_are_too_large_for_the_broker_are_not_sent(make: Callable[..., Any]) -> None:
    bench = await make()
    bench.broker.max_packet_size = 500
    with pytest.raises(NotDelivered, match="too large"):
        await bench.commands.send(call(script="x" * 500))


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
async def test_parameters_that_the_wire_cannot_spell_are_refused(make: Callable[..., Any], value: Any) -> None:
    bench = await make()
    with pytest.raises(Refused):
        await bench.commands.send(call(amount=value))
    assert bench.sent == []


async def test_more_calls_than_a_few_at_once_are_not_sent(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: None)
    under_way = [asyncio.create_task(bench.commands.send(call(timeout=5))) for _ in range(MOST)]
    await eventually(lambda: len(bench.sent) == MOST)
    with pytest.raises(NotDelivered, match="under way at once"):
        await bench.commands.send(call())
    bench.commands.stop()

    assert {(await one).outcome for one in under_way} == {Outcome.UNKNOWN}
    assert len(bench.sent) == MOST


async def test_a_gateway_that_stops_ends_its_calls_as_unknown_and_sends_no_more(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: None)
    calling = asyncio.create_task(bench.commands.send(call()))
    await eventually(lambda: bench.sent)
    bench.commands.stop()

    assert "the gateway stopped" in (await calling).words
    with pytest.raises(NotDelivered, match="stopping"):
        await bench.commands.send(call())


async def test_a_call_that_waits_for_its_turn_is_not_sent_by_a_gateway_that_stops(make: Callable[..., Any]) -> None:
    bench = await make(window=1)
    await bench.bot(lambda _: DONE)
    bench.broker.hold()
    bench.link.publish("signals/v1/x", b"")
    calling = asyncio.create_task(bench.commands.send(call()))
    await asyncio.sleep(0.02)
    bench.commands.stop()
    bench.broker.release()

    with pytest.raises(NotDelivered, match="stopping"):
        await calling
    assert bench.sent == []


async def test_a_reply_that_no_call_waits_for_is_counted_and_changes_nothing(make: Callable[..., Any]) -> None:
    bench = await make()
    bot = await bench.bot(lambda _: None)
    other = await bench.connect("two")
    calling = asyncio.create_task(bench.commands.send(call()))
    await eventually(lambda: bench.sent)
    reply_to = read_request(bench.sent[0].payload).reply_to
    other.publish(reply_to.replace("/one/", "/two/"), DONE)
    other.publish(f"signals/v1/reply/one/gateway/{'0' * 32}", DONE)
    await eventually(lambda: len(bench.heard.strays) == 2)
    assert not calling.done()
    bot.publish(reply_to, DONE)
    bot.publish(reply_to, b'{"data":{"status":400}}')

    assert (await calling).outcome is Outcome.DONE
    await eventually(lambda: len(bench.heard.strays) == 3)


async def test_what_is_told_of_a_command_has_none_of_its_parameters(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: DONE)
    await bench.commands.send(call("config", params=[["api_key", "hunter2"]]))
    (facts,) = bench.heard.commands

    assert (facts["bot"], facts["command"], facts["who"], facts["id_"]) == ("one", "config", "alice", "id-1")
    assert "hunter2" not in str(facts)
    assert "hunter2" not in repr(call(params="hunter2"))
