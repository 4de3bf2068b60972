"""Commands on the fake broker: what is sent, and what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot_plugin.client import (
    CommandKey,
    CommandRefused,
    Configuration,
    Holding,
    Outcome,
)
from bot_plugin.fake import FakeBroker
from schemas.rpc import OK, Reply, write_reply
from schemas.signature import verify
from schemas.topics import TopicError, Topics
from tests.unit.bot_plugin.client.stand_in import (
    SETTINGS,
    StandIn,
    client_on,
    done,
    eventually,
    refuses,
)

NOW = 1_795_342_501_123_456

EVERY_COMMAND: list[tuple[str, tuple[Any, ...], dict[str, Any], str, dict[str, Any]]] = [
    ("start", (), {"script": "s.py", "conf": "c.yml"}, "start",
     {"script": "s.py", "conf": "c.yml", "is_quickstart": False, "async_backend": False}),
    ("start", (), {"wait": False, "log_level": "DEBUG", "is_quickstart": True}, "start",
     {"log_level": "DEBUG", "is_quickstart": True, "async_backend": True}),
    ("stop", (), {}, "stop", {"skip_order_cancellation": False, "async_backend": False}),
    ("stop", (), {"skip_order_cancellation": True}, "stop", {"skip_order_cancellation": True, "async_backend": True}),
    ("import_strategy", ("grid",), {}, "import", {"strategy": "grid"}),
    ("config", (), {}, "config", {"params": []}),
    ("config", ({"bid": 0.1},), {}, "config", {"params": [["bid", 0.1]]}),
    ("config", ([("bid", 1), ("ask", 2)],), {}, "config", {"params": [["bid", 1], ["ask", 2]]}),
    ("status", (), {}, "status", {"async_backend": False}),
    ("history", (), {"days": 1.5, "precision": 4}, "history",
     {"days": 1.5, "verbose": False, "precision": 4, "async_backend": False}),
    ("balance", (), {"asset": "BTC"}, "balance", {"asset": "BTC"}),
    ("balance_limit", ("binance", "BTC", Decimal("1E-3")), {}, "balance/limit",
     {"exchange": "binance", "asset": "BTC", "amount": "0.001"}),
    ("balance_paper", ("BTC", -1), {}, "balance/paper", {"asset": "BTC", "amount": "-1"}),
    ("command", ("rebalance", {"to": 0.5}), {}, "command/rebalance", {"to": 0.5}),
    ("command", ("rebalance",), {}, "command/rebalance", {}),
]  # fmt: skip


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.mark.parametrize("case", EVERY_COMMAND, ids=lambda case: f"{case[0]} {case[2]}")
async def test_a_command_goes_out_on_its_topic_with_its_parameters(broker: FakeBroker, case: Any) -> None:
    """Each method sends the command that the contract names, and leaves out what was not given."""
    method, arguments, options, command, data = case
    async with StandIn(broker, answer=done()).running() as bot, client_on(broker) as client:
        result = await getattr(client, method)("bot1", *arguments, **options)

    assert [(name, dict(request.data)) for name, request in bot.requests] == [(command, data)]
    assert (result.outcome, result.command, result.bot, result.sent) == (Outcome.DONE, command, "bot1", True)


async def test_a_request_says_who_asks_until_when_and_where_the_answer_goes(broker: FakeBroker) -> None:
    """The header has all that a bot needs to run it once, in time, and to answer this call alone."""
    async with StandIn(broker, answer=done()).running() as bot, client_on(broker, now=lambda: NOW) as client:
        result = await client.stop("bot1", within=20)

    header = bot.documents[0]["header"]
    assert {name: header[name] for name in ("timestamp", "deadline", "msg_id", "node_id", "agent")} == {
        "timestamp": NOW // 1_000,
        "deadline": (NOW + 20_000_000) // 1_000,
        "msg_id": result.msg_id,
        "node_id": "desk",
        "agent": "desk",
    }
    assert header["reply_to"].startswith("signals/v1/reply/bot1/desk/")
    assert int(header["reply_to"].rpartition("/")[2], 16).bit_length() > 96
    assert Topics().is_reply(header["reply_to"], bot="bot1")
    assert broker.retained == {}


async def test_no_two_calls_share_a_reply_topic_or_an_id(broker: FakeBroker) -> None:
    """Every call is answered on a topic of its own."""
    async with StandIn(broker, answer=done()).running() as bot, client_on(broker) as client:
        await asyncio.gather(*(client.status("bot1") for _ in range(50)))

    assert len({request.reply_to for _, request in bot.requests}) == 50
    assert len({request.msg_id for _, request in bot.requests}) == 50


async def test_calls_at_once_get_each_its_own_answer(broker: FakeBroker) -> None:
    """Answers that come in another order reach who asked."""
    held: list[tuple[str, bytes]] = []

    def hold(_command: str, request: Any) -> None:
        held.append((request.reply_to, write_reply(Reply(status=OK, more={"data": request.data["number"]}))))

    async with StandIn(broker, answer=hold).running(), client_on(broker) as client:
        calls = [asyncio.ensure_future(client.command("bot1", "echo", {"number": n})) for n in range(20)]
        await eventually(lambda: len(held) == 20)
        for topic, reply in reversed(held):
            broker.publish(topic, reply)
        results = await asyncio.gather(*calls)

    assert [result.data for result in results] == list(range(20))


async def test_a_refusal_brings_the_bots_own_words(broker: FakeBroker) -> None:
    """A 400 is refused, and ``checked`` raises with the words."""
    words = "Strategy check: Please import or create a strategy."
    async with StandIn(broker, answer=refuses(words)).running(), client_on(broker) as client:
        result = await client.start("bot1")

    assert (result.outcome, result.status, result.msg, result.ok) == (Outcome.REFUSED, 400, words, False)
    with pytest.raises(CommandRefused, match=r"start of bot1: refused, Strategy check") as refused:
        result.checked()
    assert refused.value.result is result


async def test_answers_are_typed(broker: FakeBroker) -> None:
    """Trades, balances and configuration come as what they are."""
    trade = {"market": "binance", "symbol": "BTC-USDT", "price": "65000.5", "quantity": "0.01", "trade_type": "BUY"}
    more = {
        "trades": [trade],
        "data": {"binance": {"BTC": "0.5", "USDT": {"total": 10, "available": 4}}},
        "config": {"strategy": {"bid": 1}},
        "changes": [["bid", 1]],
    }
    async with StandIn(broker, answer=done(**more)).running(), client_on(broker) as client:
        history, balance = await client.history("bot1"), await client.balance("bot1")
        config = await client.config("bot1", {"bid": 1})

    assert history.data is not None
    (fill,) = history.data
    assert (fill.symbol, fill.price, fill.side) == ("BTC-USDT", Decimal("65000.5"), "BUY")
    assert balance.data == (
        Holding(exchange="binance", asset="BTC", total=Decimal("0.5")),
        Holding(exchange="binance", asset="USDT", total=Decimal(10), available=Decimal(4)),
    )
    assert config.data == Configuration(config={"strategy": {"bid": 1}}, changes=(("bid", 1),))


async def test_an_answer_of_another_shape_is_done_and_shown_as_it_came(broker: FakeBroker) -> None:
    """What cannot be typed does not unmake what was done."""
    async with StandIn(broker, answer=done(trades=["?"])).running(), client_on(broker) as client:
        result = await client.history("bot1")

    assert (result.outcome, result.data, result.more) == (Outcome.DONE, None, {"trades": ["?"]})
    assert "trades[0]" in result.reason


async def test_a_repeated_call_has_the_same_id_and_a_reply_topic_of_its_own(broker: FakeBroker) -> None:
    """``idempotency_key`` is the call's id, so that a bot with the plugin runs it once."""
    async with StandIn(broker, answer=done()).running() as bot, client_on(broker) as client:
        first = await client.stop("bot1", idempotency_key="stop-of-monday")
        await client.stop("bot1", idempotency_key=first.msg_id)

    assert [request.msg_id for _, request in bot.requests] == ["stop-of-monday"] * 2
    assert len({request.reply_to for _, request in bot.requests}) == 2


async def test_a_command_key_signs_topic_id_deadline_reply_topic_and_parameters(broker: FakeBroker) -> None:
    """A bot that has the key finds every command signed, for no longer than it accepts, though its clock is behind."""
    key = CommandKey(kid="k1", secret=b"k" * 32)
    settings = replace(SETTINGS, command_key=key)
    bot = StandIn(broker, answer=done())
    async with bot.running(), client_on(broker, settings, now=lambda: NOW) as client:
        await client.balance_limit("bot1", "binance", "BTC", 1, within=3_600)

    request = bot.requests[0][1]
    behind = NOW - 4_000_000
    signed = verify(request.signature, topic="hbot/bot1/balance/limit", keys={"k1": key}, now=behind)
    assert (signed.msg_id, signed.reply_to, dict(signed.data)) == (request.msg_id, request.reply_to, request.data)
    assert "kkkk" not in repr(settings)


async def test_a_done_of_a_stock_bot_is_confirmed_only_where_its_word_counts(broker: FakeBroker) -> None:
    """A stock Hummingbot answers 200 to start and to both balances whatever happens; the result tells."""
    async with StandIn(broker, answer=done(data=None)).running(), client_on(broker) as client:
        confirmed = {
            "start": (await client.start("bot1")).confirmed,
            "stop": (await client.stop("bot1")).confirmed,
            "stop at once": (await client.stop("bot1", skip_order_cancellation=True)).confirmed,
            "limit": (await client.balance_limit("bot1", "binance", "BTC", 1)).confirmed,
            "paper": (await client.balance_paper("bot1", "BTC", 1)).confirmed,
            "history": (await client.history("bot1")).confirmed,
        }

    assert {name for name, fact in confirmed.items() if fact} == {"stop", "history"}


@pytest.mark.parametrize("bot", ["", "a/b", "#", "+", "bot 1", "ü", "x" * 129])
async def test_a_name_that_is_no_bots_is_refused_before_anything_is_sent(broker: FakeBroker, bot: str) -> None:
    """No text becomes a topic that it should not be."""
    async with client_on(broker) as client:
        with pytest.raises(TopicError):
            await client.stop(bot)
        with pytest.raises(ValueError, match="a command's name"):
            await client.command("bot1", bot)

    assert broker.published == []


@pytest.mark.parametrize("amount", ["much", float("nan"), float("inf"), Decimal("1E+99")])
async def test_an_amount_that_is_none_is_refused(broker: FakeBroker, amount: Any) -> None:
    """No bot is asked to read what is no number."""
    async with client_on(broker) as client:
        with pytest.raises(ValueError, match=r"number|decimal"):
            await client.balance_paper("bot1", "BTC", amount)


async def test_a_parameter_that_json_cannot_spell_is_refused(broker: FakeBroker) -> None:
    """A command goes out whole or not at all."""
    async with client_on(broker) as client:
        with pytest.raises((ValueError, TypeError)):
            await client.command("bot1", "x", {"value": float("nan")})


async def test_a_command_that_is_too_large_is_refused_and_disturbs_nobody() -> None:
    """A broker ends the connection of who sends more than it takes, so nothing such is sent."""
    small = FakeBroker(largest=1_000)
    async with StandIn(small, answer=done()).running(), client_on(small) as client:
        for size in (1_000, 300_000):
            with pytest.raises(ValueError, match=r"the command has \d+ bytes, and at most \d+ can be sent"):
                await client.command("bot1", "x", {"text": "a" * size})
        assert (await client.command("bot1", "x", {"text": "a"})).ok
