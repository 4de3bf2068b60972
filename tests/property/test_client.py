"""Whatever a bot, or somebody in its place, sends a client: it is read, or it is no answer; nothing breaks."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.client import Bot, Outcome, TradeFill, calls
from bot_plugin.client.payloads import read_configuration, read_holdings, read_trades
from bot_plugin.client.roster import Roster
from bot_plugin.client.verdict import Exchange, conclude
from bot_plugin.client.waiting import Waitings
from bot_plugin.transport import Message
from schemas.document import dump
from schemas.errors import ContractError
from schemas.rpc import Reply, read_reply
from schemas.topics import Topics

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
names = st.sampled_from(["status", "msg", "trades", "data", "config", "changes", "price", "quantity", "total", "x"])
nearly = st.dictionaries(names, documents | st.lists(st.dictionaries(names, documents, max_size=4), max_size=3))
replies = st.builds(lambda data: json.dumps({"header": {}, "data": data}).encode(), nearly)
payloads = st.binary(max_size=200) | documents.map(lambda document: json.dumps(document).encode()) | replies
amounts = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12)
EVERY_CALL = [
    calls.stop(skip_order_cancellation=False),
    calls.status(),
    calls.config({}),
    calls.history(days=0, verbose=False, precision=None),
    calls.balance(exchange=None, asset=None),
    calls.own("x", {}),
]


async def _take(payloads: list[bytes]) -> tuple[Reply | None, str, int]:
    waitings = Waitings()
    with waitings.expect("t") as waiting:
        for payload in payloads:
            waitings.take(Message(topic="t", payload=payload))
        reply = waiting.answer.result() if waiting.answer.done() else None
        return reply, waiting.unreadable, waitings.strays


def _readable(payload: bytes) -> bool:
    try:
        read_reply(payload)
    except ContractError:
        return False
    return True


@given(st.lists(payloads, min_size=1, max_size=4))
def test_the_first_reply_that_can_be_read_is_the_answer(payloads: list[bytes]) -> None:
    """What comes before it is no answer, and what comes after it is a stray."""
    reply, unreadable, strays = asyncio.run(_take(payloads))

    readable = [_readable(payload) for payload in payloads]
    if any(readable):
        first = readable.index(True)
        assert reply == read_reply(payloads[first])
        assert strays == len(payloads) - first - 1
    else:
        assert reply is None
        assert unreadable
        assert strays == 0


@given(nearly, st.sampled_from(EVERY_CALL), st.sampled_from([200, 400, 500, 0, -1]))
def test_every_answer_comes_to_a_result_that_says_what_the_bot_said(data, call, status) -> None:
    """Done is what the bot calls 200, in whatever shape its answer is; what it said is there as it came."""
    more = {name: value for name, value in data.items() if name not in {"status", "msg"}}
    reply = read_reply(json.dumps({"data": {"status": status, "msg": "w", **more}}).encode())

    result = conclude(call, Bot(name="bot1"), Exchange(reply=reply, published=True), msg_id="m")

    assert result.outcome is (Outcome.DONE if status == 200 else Outcome.REFUSED)
    assert result.more == more
    assert result.data is None or result.ok
    assert not (result.reason and result.data is not None)


@given(nearly)
def test_answers_are_read_into_their_types_or_refused(data) -> None:
    """No reader lets a value of another type through, and none raises anything but ContractError."""
    reply = Reply(status=200, more=data)
    for read, kind in ((read_trades, TradeFill), (read_holdings, object), (read_configuration, object)):
        try:
            answer = read(reply)
        except ContractError:
            continue
        for item in answer if isinstance(answer, tuple) else ():
            assert isinstance(item, kind)
        if read is read_trades:
            assert all(isinstance(fill.price, Decimal) and fill.price.is_finite() for fill in answer)


@given(st.lists(st.tuples(amounts, amounts, st.text(max_size=8)), max_size=5))
def test_trades_keep_every_digit(rows) -> None:
    """A price that a bot writes as text is the same number here."""
    trades = [{"price": str(price), "quantity": str(quantity), "symbol": symbol} for price, quantity, symbol in rows]
    fills = read_trades(read_reply(dump({"data": {"status": 200, "trades": trades}})))

    assert [(fill.price, fill.quantity, fill.symbol) for fill in fills] == rows


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hbot/b/hb", "hbot/b/status_updates", "signals/v1/bot/b", "x"]) | st.text(), payloads
        )
    )
)
def test_no_message_breaks_the_roster(messages) -> None:
    """Rubbish on any topic shows no bot that is not named there, and ends nothing."""
    roster = Roster(Topics(), limit=(), now=lambda: 1, monotonic=lambda: 1.0)
    for topic, payload in messages:
        roster.take(Message(topic=topic, payload=payload))

    assert {bot.name for bot in roster.bots()} <= {"b"}
