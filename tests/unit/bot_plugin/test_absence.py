"""What waits for handlers that are not here: it runs once when they are, or says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot_plugin import (
    Handlers,
    SignalListener,
)
from bot_plugin.testing import build, running
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.envelope import Envelope
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock
from tests.unit.bot_plugin.strategies import TOPIC, Strategy, ended, last, listening, trade


async def test_what_waits_for_a_detached_handler_runs_once_when_it_is_back(bot: SignalListener) -> None:
    """A signal that is behind a slow one when its strategy stops runs when that is there again, and once."""
    strategy = Strategy()
    strategy.gate.clear()
    async with running(bot) as rig:
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        first, second, third = (trade(bot) for _ in range(3))
        for envelope in (first, second, third):
            rig.send(envelope)
        await eventually(lambda: strategy.called and rig.receipts(third.id))
        await bot.detach(strategy.handlers)
        assert strategy.called == [first.id]
        strategy.gate.set()
        await asyncio.sleep(0.05)
        assert {receipt.stage for receipt in rig.receipts(second.id)} == {Stage.RECEIVED}
        bot.attach(strategy.handlers)
        receipts = [await ended(rig, envelope) for envelope in (second, third)]

    assert strategy.called == [first.id, second.id, third.id]
    assert {receipt.stage for receipt in receipts} == {Stage.HANDLED}


async def test_what_expires_while_its_handler_is_away_is_never_run(bot: SignalListener, clock: Clock) -> None:
    """The expiry is told with the handler's name, and a strategy that is back late does not see it."""
    strategy = Strategy()
    strategy.gate.clear()
    async with running(bot) as rig:
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        first, second = trade(bot), trade(bot)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: strategy.called and rig.receipts(second.id))
        await bot.detach(strategy.handlers)
        clock.advance(61)
        receipt = await ended(rig, second)
        strategy.gate.set()
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        await asyncio.sleep(0.05)

    assert receipt.stage is Stage.EXPIRED
    assert str(receipt.reason).endswith("while it waited for act, which was not there")
    assert strategy.called == [first.id]


async def test_what_comes_on_a_topic_that_another_still_listens_to_waits_for_the_handler(bot: SignalListener) -> None:
    """A signal for a strategy that is away is not refused because another one reads its topic, nor lost."""
    bitcoin, ether = Strategy("bitcoin", pair="BTC-USDT"), Strategy("ether", pair="ETH-USDT")
    async with running(bot) as rig:
        bot.attach(bitcoin.handlers)
        bot.attach(ether.handlers)
        await listening(rig, TOPIC)
        await bot.detach(bitcoin.handlers)
        envelope = trade(bot, pair="BTC-USDT")
        rig.send(envelope)
        await eventually(lambda: rig.receipts(envelope.id))
        assert last(rig, envelope, "bitcoin").stage is Stage.RECEIVED
        bot.attach(bitcoin.handlers)
        receipt = await ended(rig, envelope, "bitcoin")

    assert receipt.stage is Stage.HANDLED
    assert bitcoin.called == [envelope.id]
    assert ether.called == []


async def test_a_handler_that_is_back_and_wants_less_refuses_what_waited(bot: SignalListener) -> None:
    """What waited for a handler's name and is no more for it ends with that reason."""
    before, after = Strategy(pair="BTC-USDT"), Strategy(pair="ETH-USDT")
    before.gate.clear()
    async with running(bot) as rig:
        bot.attach(before.handlers)
        await listening(rig, TOPIC)
        first, second = trade(bot), trade(bot)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: before.called and rig.receipts(second.id))
        await bot.detach(before.handlers)
        bot.attach(after.handlers)
        receipt = await ended(rig, second)

    assert receipt.stage is Stage.REFUSED
    assert receipt.reason == "its handler 'act' was not there, and no longer asks for such a signal"
    assert after.called == []


async def test_a_run_that_may_be_repeated_is_when_its_handler_is_back(bot: SignalListener) -> None:
    """``rerun`` holds for a detached callback as for a crash."""
    strategy = Strategy(rerun=True)
    strategy.gate.clear()
    async with running(bot) as rig:
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(lambda: strategy.called)
        await bot.detach(strategy.handlers)
        assert not any(receipt.stage.final for receipt in rig.receipts(envelope.id))
        strategy.gate.set()
        bot.attach(strategy.handlers)
        receipt = await ended(rig, envelope)

    assert receipt.stage is Stage.HANDLED
    assert strategy.called == [envelope.id, envelope.id]


async def test_what_another_process_left_waits_for_the_handler_to_come(make: Callable[..., SignalListener]) -> None:
    """After a crash the listener is there before its strategies: what waited for one runs when that is attached."""
    before, strategy = make(), Strategy()
    strategy.gate.clear()
    before.attach(strategy.handlers)
    async with running(before) as rig:
        await listening(rig, TOPIC)
        first, second = trade(before), trade(before)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: strategy.called and rig.receipts(second.id))
    strategy.gate.set()
    bot = make()
    async with running(bot) as again:
        await asyncio.sleep(0.1)
        assert not any(receipt.stage.final for receipt in again.receipts(second.id))
        bot.attach(strategy.handlers)
        receipt = await ended(again, second)

    assert receipt.stage is Stage.HANDLED
    assert strategy.called == [first.id, second.id]


async def crashed(make: Callable[..., SignalListener], *, order: str = "") -> Envelope:
    """Let a process of the bot die inside a callback: what its disk has is what the next one finds."""
    bot, strategy = make(), Strategy()
    strategy.gate.clear()
    bot.attach(strategy.handlers)
    inbox = bot.inbox
    async with running(bot) as rig:
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(lambda: strategy.called)
        if order:
            strategy.signals[0].placed(order)
        await inbox.stored()
        inbox.finish = lambda receipt: None  # the process is gone from here on
    return envelope


async def test_a_strategy_is_told_what_a_crash_cut_short_when_it_is_attached(
    make: Callable[..., SignalListener],
) -> None:
    """``on_interrupted`` of the strategy whose callback was cut short is called, of no other; the order is known."""
    envelope = await crashed(make, order="HBOT-17")
    bot, strategy, other = make(), Strategy(), Strategy("other")
    async with running(bot) as rig:
        bot.attach(other.handlers)
        await asyncio.sleep(0.1)
        assert not any(receipt.stage.final for receipt in rig.receipts(envelope.id))
        bot.attach(strategy.handlers)
        receipt = await ended(rig, envelope)

    assert receipt.stage is Stage.INTERRUPTED
    assert receipt.order_ids == ("HBOT-17",)
    assert strategy.interrupted == [envelope.id]
    assert strategy.called == other.called == other.interrupted == []


async def test_the_gateway_is_told_what_a_crash_cut_short_though_nobody_is_attached(
    make: Callable[..., SignalListener], clock: Clock
) -> None:
    """After a minute the receipt goes, and a strategy that comes later is told all the same."""
    envelope = await crashed(make)
    bot, strategy = make(), Strategy()
    async with running(bot) as rig:
        clock.advance(60)
        receipt = await ended(rig, envelope)
        bot.attach(strategy.handlers)
        await eventually(lambda: strategy.interrupted)
        await asyncio.sleep(0.02)

    assert receipt.stage is Stage.INTERRUPTED
    assert strategy.interrupted == [envelope.id]
    assert {r.stage for r in rig.receipts(envelope.id) if r.stage.final} == {Stage.INTERRUPTED}


async def test_a_signal_that_nobody_here_may_want_is_left_to_the_gateway(bot: SignalListener) -> None:
    """What a subscription brings that outlived its handlers is neither refused nor remembered: it may come again."""
    listener, strategy = bot, Strategy()
    heard = Handlers()
    heard.topic_queue("#")
    async with running(bot) as rig:
        bot.attach(heard)
        await listening(rig, "#")
        envelope = trade(bot)
        rig.send(envelope)
        await asyncio.sleep(0.1)
        assert rig.receipts(envelope.id) == []
        listener.attach(strategy.handlers)
        await listening(rig, "#", TOPIC)
        rig.send(envelope)
        receipt = await ended(rig, envelope)

    assert receipt.stage is Stage.HANDLED


async def test_a_withdrawal_stops_what_waits_for_a_handler_that_is_away(bot: SignalListener) -> None:
    """What an operator withdrew while its strategy was detached is not run when that is back."""
    bitcoin, ether = Strategy("bitcoin", pair="BTC-USDT"), Strategy("ether", pair="ETH-USDT")
    async with running(bot) as rig:
        bot.attach(bitcoin.handlers)
        bot.attach(ether.handlers)
        await listening(rig, TOPIC)
        await bot.detach(bitcoin.handlers)
        envelope = trade(bot, pair="BTC-USDT")
        rig.send(envelope)
        await eventually(lambda: rig.receipts(envelope.id))
        body = envelopes.body(WithdrawalSchema, Withdrawal(signal=envelope.id, reason="a mistake"))
        rig.send(trade(bot, pair="BTC-USDT", type=envelopes.WITHDRAW, data=body))
        receipt = await ended(rig, envelope, "bitcoin")
        bot.attach(bitcoin.handlers)
        await asyncio.sleep(0.05)

    assert receipt.stage is Stage.WITHDRAWN
    assert bitcoin.called == []


async def test_more_than_a_handler_that_is_away_may_keep_waiting_is_refused(
    make: Callable[..., SignalListener],
) -> None:
    """What waits for nobody is bounded as what waits for somebody is."""
    bot, one, two = make(backlog=2), Strategy("one", pair="BTC-USDT"), Strategy("two", pair="ETH-USDT")
    async with running(bot) as rig:
        bot.attach(one.handlers)
        bot.attach(two.handlers)
        await listening(rig, TOPIC)
        await bot.detach(one.handlers)
        waiting = [trade(bot, pair="BTC-USDT") for _ in range(2)]
        for envelope in waiting:
            rig.send(envelope)
        await eventually(lambda: all(rig.receipts(envelope.id) for envelope in waiting))
        await asyncio.sleep(1.1)  # it counts once a second
        further = trade(bot, pair="BTC-USDT")
        rig.send(further)
        await eventually(lambda: rig.receipts(further.id))

    assert rig.receipts(further.id)[-1].stage is Stage.REFUSED


async def test_a_strategy_that_comes_while_the_bot_stops_leaves_what_waits_to_the_next_start(
    make: Callable[..., SignalListener],
) -> None:
    """Nothing is started and nothing refused in the grace of a stop: the next process runs it."""
    bot, busy, strategy = make(grace=0.3), Strategy("busy", "busy"), Strategy()
    busy.gate.clear()
    other = Strategy("other", pair="ETH-USDT")
    bot.attach(strategy.handlers)
    async with running(bot) as rig:
        bot.attach(busy.handlers)
        bot.attach(other.handlers)
        await listening(rig, TOPIC, "signals/v1/trade/busy/+")
        await bot.detach(strategy.handlers)
        envelope = trade(bot, pair="BTC-USDT")
        rig.send(envelope)
        rig.send(build(bot, source="busy"))
        await eventually(lambda: busy.called and rig.receipts(envelope.id))
        bot.stop()
        await asyncio.sleep(0.05)
        bot.attach(strategy.handlers)
    assert strategy.called == []
    assert not any(receipt.stage.final for receipt in rig.receipts(envelope.id))
    again = make()
    again.attach(strategy.handlers)
    async with running(again) as second:
        receipt = await ended(second, envelope)

    assert receipt.stage is Stage.HANDLED
