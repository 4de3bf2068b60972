"""Commands that are not answered as they should be: silence, rubbish, strangers, and a broker that is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from bot_plugin.client import (
    CommandUnknown,
    Outcome,
)
from bot_plugin.fake import FakeBroker
from schemas.rpc import OK, Reply, write_reply
from tests.unit.bot_plugin.client.stand_in import (
    SETTINGS,
    DenyingBroker,
    Network,
    StandIn,
    client_on,
    done,
    eventually,
)


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


async def test_nobody_at_the_topic_is_said_at_once(broker: FakeBroker) -> None:
    """A command that the broker has nobody for was not run, and is not waited for."""
    async with client_on(broker) as client, asyncio.timeout(2):
        result = await client.stop("bot1", within=60)

    assert (result.outcome, result.status, result.sent) == (Outcome.UNKNOWN, None, False)
    assert "nobody listens" in result.reason
    assert "no bot 'bot1' was seen" in result.reason
    with pytest.raises(CommandUnknown, match="nobody listens"):
        result.checked()


async def test_silence_is_unknown_never_failed(broker: FakeBroker) -> None:
    """A bot that says nothing may have done it; the reason tells what was seen of the bot."""
    async with StandIn(broker).running() as bot, client_on(broker) as client:
        unseen = await client.stop("bot1", within=0.05)
        bot.beat()
        await client.wait_alive("bot1")
        alive = await client.stop("bot1", within=0.05)

    assert {unseen.outcome, alive.outcome} == {Outcome.UNKNOWN}
    assert unseen.sent
    assert "no answer came within" in unseen.reason
    assert "no bot 'bot1' was seen" in unseen.reason
    assert "is alive" in alive.reason


async def test_a_late_answer_is_nobodys(broker: FakeBroker) -> None:
    """What comes after the waiting is counted, and changes nothing."""
    async with StandIn(broker).running() as bot, client_on(broker) as client:
        result = await client.stop("bot1", within=0.02)
        broker.publish(bot.requests[0][1].reply_to, write_reply(Reply(status=OK)))
        await eventually(lambda: client.strays == 1)
        again = await client.stop("bot1", within=0.02)

    assert (result.outcome, again.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)


async def test_of_two_answers_the_first_counts(broker: FakeBroker) -> None:
    """A second answer to a call is left."""

    def twice(_command: str, request: Any) -> bytes:
        broker.publish(request.reply_to, write_reply(Reply(status=400, msg="first")))
        return write_reply(Reply(status=OK, msg="second"))

    async with StandIn(broker, answer=twice).running(), client_on(broker) as client:
        result = await client.stop("bot1")
        await eventually(lambda: client.strays == 1)

    assert (result.outcome, result.msg) == (Outcome.REFUSED, "first")


@pytest.mark.parametrize(
    "hostile",
    [b"", b"no JSON", b"1", b"[]", b"{}", b'{"data":{}}', b'{"data":{"status":"200"}}', b'{"data":{"status":true}}',
     b'{"data":{"status":200,"status":400}}', b"\xff\xfe", b'{"data":' + b"[" * 5_000],
)  # fmt: skip
async def test_what_cannot_be_read_is_no_answer(broker: FakeBroker, hostile: bytes) -> None:
    """Rubbish on the reply topic ends no call; the answer behind it does."""

    def rubbish_first(_command: str, request: Any) -> bytes:
        broker.publish(request.reply_to, hostile)
        return write_reply(Reply(status=OK, msg="the answer"))

    async with StandIn(broker, answer=rubbish_first).running() as bot, client_on(broker) as client:
        assert (await client.stop("bot1")).msg == "the answer"
        bot.answer = lambda _command, _request: hostile
        result = await client.stop("bot1", within=0.05)

    assert result.outcome is Outcome.UNKNOWN
    assert "an answer came that cannot be read" in result.reason


async def test_an_answer_on_a_topic_of_another_call_bot_or_client_is_none(broker: FakeBroker) -> None:
    """Only the call's own topic answers it."""

    def elsewhere(_command: str, request: Any) -> None:
        head, call = request.reply_to.rpartition("/")[::2]
        for topic in (
            f"{head}/{'0' * 32}",
            f"signals/v1/reply/bot2/desk/{call}",
            f"signals/v1/reply/bot1/other/{call}",
        ):
            broker.publish(topic, write_reply(Reply(status=OK)))

    async with StandIn(broker, answer=elsewhere).running(), client_on(broker) as client:
        result = await client.stop("bot1", within=0.05)

        assert client.strays == 2
    assert result.outcome is Outcome.UNKNOWN


async def test_a_broker_that_is_away_all_the_time_is_named(broker: FakeBroker) -> None:
    """A call that never left says so: it was not run."""
    network = Network(broker)
    async with client_on(network) as client:
        network.cut()
        await eventually(lambda: not client.connected)
        result = await client.stop("bot1", within=0.05)

    assert (result.outcome, result.sent) == (Outcome.UNKNOWN, False)
    assert "the broker was away" in result.reason


async def test_a_broker_that_comes_back_in_time_gets_the_command(broker: FakeBroker) -> None:
    """A call waits for the connection, within its own time."""
    network = Network(broker)
    async with StandIn(broker, answer=done()).running(), client_on(network) as client:
        network.cut()
        await eventually(lambda: not client.connected)
        call = asyncio.ensure_future(client.stop("bot1"))
        await asyncio.sleep(0)
        network.mend()

        assert (await call).outcome is Outcome.DONE


async def test_a_connection_that_ends_in_mid_call_leaves_it_unknown(broker: FakeBroker) -> None:
    """What was sent before an outage may have been run; the reason tells of the outage."""
    network = Network(broker)
    async with StandIn(broker).running() as bot, client_on(network) as client:
        call = asyncio.ensure_future(client.stop("bot1", within=0.2))
        await eventually(lambda: bot.requests)
        network.cut()
        result = await call

    assert (result.outcome, result.sent) == (Outcome.UNKNOWN, True)
    assert "The connection to the broker was lost meanwhile" in result.reason
    assert len(bot.requests) == 1


async def test_an_answer_after_an_outage_still_counts(broker: FakeBroker) -> None:
    """A reconnected client listens to the same replies; the command is not sent twice."""
    network = Network(broker)
    async with StandIn(broker).running() as bot, client_on(network) as client:
        call = asyncio.ensure_future(client.stop("bot1"))
        await eventually(lambda: bot.requests)
        network.cut()
        await eventually(lambda: not client.connected)
        network.mend()
        await eventually(lambda: client.connected)
        broker.publish(bot.requests[0][1].reply_to, write_reply(Reply(status=OK)))

        assert (await call).outcome is Outcome.DONE
    assert len(bot.requests) == 1


async def test_what_the_broker_forbids_is_refused_at_once() -> None:
    """The broker's no is an outcome, with the reason in words."""
    async with client_on(DenyingBroker()) as client, asyncio.timeout(2):
        result = await client.stop("bot1", within=60)

    assert (result.outcome, result.status, result.sent) == (Outcome.REFUSED, None, False)
    assert "the broker does not let this login send stop to bot1 (reason 0x87)" in result.msg


async def test_a_bot_that_the_client_is_not_for_is_refused_at_once(broker: FakeBroker) -> None:
    """Nothing is sent to a bot that is not among the settings' bots, and the words name the setting."""
    limited = replace(SETTINGS, bots=("bot1", "bot3"))
    async with StandIn(broker, "bot2").running() as bot, client_on(broker, limited) as client, asyncio.timeout(2):
        result = await client.stop("bot2", within=60)

    assert (result.outcome, result.status, result.sent, bot.requests) == (Outcome.REFUSED, None, False, [])
    assert result.msg == "not sent: this client is limited to bot1, bot3 (settings.bots, SIGNAL_GATEWAY_BOTS)"


async def test_a_call_that_is_cancelled_leaves_nothing_waiting(broker: FakeBroker) -> None:
    """A caller that goes away is forgotten."""
    async with StandIn(broker).running() as bot, client_on(broker) as client:
        call = asyncio.ensure_future(client.stop("bot1"))
        await eventually(lambda: bot.requests)
        call.cancel()
        await asyncio.wait({call})

        assert len(client._waitings) == 0


async def test_two_processes_of_one_name_do_not_disturb_each_other(broker: FakeBroker) -> None:
    """Each has its own connection, and leaves the other's answers."""
    async with StandIn(broker, answer=done()).running(), client_on(broker) as one, client_on(broker) as two:
        results = await asyncio.gather(one.stop("bot1"), two.stop("bot1"))

        assert [result.outcome for result in results] == [Outcome.DONE] * 2
        await eventually(lambda: (one.strays, two.strays) == (1, 1))
