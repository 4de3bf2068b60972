"""What was cut short is told once and repeated only where it may be, however its handler comes and goes."""

from __future__ import annotations

import asyncio

from bot_plugin import SignalListener
from bot_plugin.testing import running
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.strategies import TOPIC, Strategy, ended, listening, trade


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
