"""A call with a key is sent once, however often it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gateway.bots import repeats
from gateway.bots.calls import NotDelivered, Outcome
from gateway.errors import Code, Refused
from schemas.rpc import read_request
from tests.brokers import eventually
from tests.unit.bots.commanding import DONE, call, make

__all__ = ["make"]


async def test_a_repeated_call_gets_the_first_outcome_and_is_not_sent_again(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: DONE)
    first, second = [await bench.commands.send(call("stop", key="7")) for _ in range(2)]

    assert first == second
    assert [read_request(message.payload).msg_id for message in bench.sent] == ["alice:7"]


async def test_a_call_that_is_made_again_while_it_is_under_way_waits_for_the_same_reply(
    make: Callable[..., Any],
) -> None:
    bench = await make()
    bot = await bench.bot(lambda _: None)
    first, second = (asyncio.create_task(bench.commands.send(call("stop", key="7"))) for _ in range(2))
    await eventually(lambda: bench.sent)
    first.cancel()
    await asyncio.sleep(0)
    bot.publish(read_request(bench.sent[0].payload).reply_to, DONE)

    assert (await second).outcome is Outcome.DONE
    assert first.cancelled()
    assert len(bench.sent) == 1


async def test_an_unknown_outcome_stays_unknown_until_the_reply_comes_late(make: Callable[..., Any]) -> None:
    bench = await make()
    bot = await bench.bot(lambda _: None)
    asked = call("stop", key="7", timeout=0.05)
    assert [(await bench.commands.send(asked)).outcome for _ in range(2)] == [Outcome.UNKNOWN] * 2
    reply_to = read_request(bench.sent[0].payload).reply_to
    bot.publish(reply_to.replace("/one/", "/two/"), DONE)
    bot.publish(reply_to, DONE)
    bot.publish(reply_to, b'{"data":{"status":400}}')
    await eventually(lambda: len(bench.heard.strays) == 3)

    assert (await bench.commands.send(asked)).outcome is Outcome.DONE
    assert len(bench.sent) == 1


async def test_a_bot_that_remembers_is_asked_again_for_what_nobody_knows_and_for_nothing_else(
    make: Callable[..., Any],
) -> None:
    bench = await make(remembers=True)
    answers = iter([None, DONE])
    await bench.bot(lambda _: next(answers))
    asked = call("stop", key="7", timeout=0.05)

    outcomes = [(await bench.commands.send(asked)).outcome for _ in range(3)]
    assert outcomes == [Outcome.UNKNOWN, Outcome.DONE, Outcome.DONE]
    assert [read_request(message.payload).msg_id for message in bench.sent] == ["alice:7"] * 2


async def test_what_nobody_got_is_sent_when_it_is_made_again(make: Callable[..., Any]) -> None:
    bench = await make()
    with pytest.raises(NotDelivered):
        await bench.commands.send(call("stop", key="7"))
    await bench.bot(lambda _: DONE)

    assert (await bench.commands.send(call("stop", key="7"))).outcome is Outcome.DONE


@pytest.mark.parametrize("other", [call("start", key="7"), call("stop", bot="two", key="7"), call(key="7", x=1)])
async def test_a_key_of_another_call_is_refused_and_not_sent(make: Callable[..., Any], other: Any) -> None:
    bench = await make()
    await bench.bot(lambda _: DONE)
    await bench.commands.send(call("stop", key="7"))
    with pytest.raises(Refused) as refused:
        await bench.commands.send(other)

    assert refused.value.code is Code.KEY_REUSED
    assert len(bench.sent) == 1


async def test_two_callers_may_have_the_same_key(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: DONE)
    await bench.commands.send(call("stop", key="7"))
    await bench.commands.send(repeats.Call(bot="one", command="stop", data={}, who="bob", timeout=5, key="7"))

    assert [read_request(message.payload).sender for message in bench.sent] == ["gateway/alice", "gateway/bob"]
    assert [read_request(message.payload).msg_id for message in bench.sent] == ["alice:7", "bob:7"]


async def test_a_long_key_makes_an_id_that_a_bot_reads(make: Callable[..., Any]) -> None:
    bench = await make()
    await bench.bot(lambda _: DONE)
    for key in ("x" * 255, "x" * 254 + "y"):
        await bench.commands.send(call("stop", key=key))

    assert len({read_request(message.payload).msg_id for message in bench.sent}) == 2


async def test_no_more_is_kept_than_was_promised(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "_MOST", 3)
    bench = await make()
    await bench.bot(lambda _: DONE)
    for key in "abcd":
        await bench.commands.send(call("stop", key=key))
    await bench.commands.send(call("stop", key="d"))
    assert len(bench.sent) == 4
    await bench.commands.send(call("stop", key="a"))

    assert len(bench.sent) == 5
    assert len(bench.commands._repeats._kept) == len(bench.commands._repeats._numbers) == 3


async def test_large_replies_and_old_ones_are_forgotten_first(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "_MOST_BYTES", len(DONE) * 2)
    bench = await make()
    await bench.bot(lambda _: DONE)
    for key in "abcd":
        await bench.commands.send(call("stop", key=key))
    assert len(bench.commands._repeats._kept) == 3
    monkeypatch.setattr(repeats, "_LONGEST", 0.0)
    await bench.commands.send(call("stop", key="e"))

    assert [key for _, key in bench.commands._repeats._kept] == ["e"]
