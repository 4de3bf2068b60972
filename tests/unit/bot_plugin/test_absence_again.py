"""What was cut short is told once and repeated only where it may be, however its handler comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot_plugin import Handlers, Signal, SignalListener
from bot_plugin.testing import running
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock
from tests.unit.bot_plugin.strategies import TOPIC, Strategy, ended, listening, trade
from tests.unit.bot_plugin.test_absence import crashed


async def test_a_run_that_was_withdrawn_meanwhile_is_not_repeated(bot: SignalListener) -> None:
    """The withdrawal said that it is not started from now on: ``rerun`` does not start it when its handler is back."""
    strategy = Strategy(rerun=True)
    strategy.gate.clear()
    async with running(bot) as rig:
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(lambda: strategy.called)
        body = envelopes.body(WithdrawalSchema, Withdrawal(signal=envelope.id, reason="a mistake"))
        withdrawal = trade(bot, type=envelopes.WITHDRAW, data=body)
        rig.send(withdrawal)
        await eventually(lambda: rig.receipts(withdrawal.id))
        await bot.detach(strategy.handlers)
        strategy.gate.set()
        bot.attach(strategy.handlers)
        receipt = await ended(rig, envelope)
        await asyncio.sleep(0.05)

    assert receipt.stage is Stage.INTERRUPTED
    assert strategy.called == [envelope.id]


async def test_a_strategy_that_goes_and_comes_while_it_is_told_is_told_once(
    make: Callable[..., SignalListener],
) -> None:
    """``on_interrupted`` that ends in the grace of a detach is not called again for a handler that is back already."""
    envelope = await crashed(make)
    bot, handlers, told, gate = make(grace=2), Handlers(), [], asyncio.Event()
    handlers.on_trade("trend", name="act")(nothing)

    @handlers.on_interrupted
    async def note(signal: Signal) -> None:
        told.append(signal.id)
        await gate.wait()

    async with running(bot) as rig:
        bot.attach(handlers)
        await eventually(lambda: told)
        leaving = asyncio.create_task(bot.detach(handlers))
        await asyncio.sleep(0)
        bot.attach(handlers)
        gate.set()
        await leaving
        receipt = await ended(rig, envelope)
        await asyncio.sleep(0.05)

    assert receipt.stage is Stage.INTERRUPTED
    assert told == [envelope.id]


async def test_a_strategy_that_is_told_late_is_told_nothing_once_it_is_detached(
    make: Callable[..., SignalListener], clock: Clock
) -> None:
    """What the gateway was told already is told a strategy like the rest: detach waits for that, and ends it."""
    envelope = await crashed(make)
    bot, handlers, told, ended_at = make(grace=0.05), Handlers(), [], []
    handlers.on_trade("trend", name="act")(nothing)

    @handlers.on_interrupted
    async def note(signal: Signal) -> None:
        told.append(signal.id)
        try:
            await asyncio.Event().wait()
        finally:
            ended_at.append(signal.id)

    async with running(bot) as rig:
        clock.advance(60)
        await ended(rig, envelope)
        bot.attach(handlers)
        await eventually(lambda: told)
        await bot.detach(handlers)

        assert ended_at == told


async def nothing(signal: Signal) -> None:
    """A handler that does nothing."""
