"""Handlers that are attached while a bot runs: what is listened to and shown, and what cannot be attached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot_plugin import (
    Handlers,
    RemoteCommands,
    SettingsError,
    SignalListener,
)
from bot_plugin.testing import FakeBroker, running
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.strategies import TOPIC, Strategy, cards, ended, listening, trade


async def test_a_strategy_that_is_attached_hears_and_one_that_is_detached_does_not(bot: SignalListener) -> None:
    """Subscriptions and card follow the handlers, and nothing is kept for a bot that listens to nothing."""
    strategy = Strategy()
    async with running(bot) as rig:
        await listening(rig)
        assert rig.broker._links["signals.demo.sig"].settings.clean
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        first = trade(bot)
        rig.send(first)
        assert (await ended(rig, first)).stage is Stage.HANDLED
        assert not rig.broker._links["signals.demo.sig"].settings.clean
        assert cards(rig)[-1].subscriptions == (TOPIC,)
        assert cards(rig)[-1].handlers == ("act",)

        await bot.detach(strategy.handlers)
        await listening(rig)
        assert rig.broker._links["signals.demo.sig"].settings.clean
        await eventually(lambda: cards(rig)[-1].handlers == ())
        with pytest.raises(LookupError):
            rig.send(trade(bot))

    assert strategy.called == [first.id]
    assert {card.presence for card in cards(rig)[:-1]} == {"online"}
    assert {card.hosts for card in cards(rig)} == {True}


async def test_all_that_changes_in_one_turn_is_one_connection_and_the_other_one_stays(bot: SignalListener) -> None:
    """Strategies that start together connect once, and commands are never away."""
    connected: list[str] = []

    class Watched(FakeBroker):
        def attach(self, link: Any) -> None:
            connected.append(link.settings.client_id)
            super().attach(link)

    strategies = [Strategy(f"act{number}", f"source{number}") for number in range(5)]
    async with running(bot, broker=Watched()) as rig:
        await eventually(lambda: len(connected) == 2)
        for strategy in strategies:
            bot.attach(strategy.handlers)
        bot.attach(strategies[0].handlers)
        await bot.detach(strategies[4].handlers)
        await listening(rig, *(f"signals/v1/trade/source{number}/+" for number in range(4)))
        await asyncio.sleep(0.02)

    assert connected == ["signals.demo.sig", "signals.demo.cmd", "signals.demo.sig"]


async def test_handlers_that_want_no_other_topics_need_no_other_connection(bot: SignalListener) -> None:
    """A second strategy on the same source is called, and shown, over the connection that stands."""
    first, second = Strategy("one"), Strategy("two")
    async with running(bot) as rig:
        bot.attach(first.handlers)
        await listening(rig, TOPIC)
        link = rig.broker._links["signals.demo.sig"]
        lost = link._lost
        bot.attach(second.handlers)
        await eventually(lambda: cards(rig)[-1].handlers == ("one", "two"))
        envelope = trade(bot)
        rig.send(envelope)
        await rig.settled(envelope.id, handlers=2)

    assert link._lost is lost
    assert first.called == second.called == [envelope.id]


async def test_a_command_may_attach_and_detach(make: Callable[..., SignalListener]) -> None:
    """Start and stop of a strategy are commands: they are answered while its handlers come and go."""
    bot, strategy = make(), Strategy()

    class Target:
        async def start(self, request: object) -> str:
            bot.attach(strategy.handlers)
            return "started"

        async def stop(self, request: object) -> str:
            await bot.detach(strategy.handlers)
            return "stopped"

    bot.serve(RemoteCommands(Target()))
    async with running(bot) as rig:
        for _ in range(3):
            assert (await rig.command("start")).msg == "started"
            await listening(rig, TOPIC)
            assert (await rig.command("stop")).msg == "stopped"
            await listening(rig)


async def test_handlers_that_cannot_be_attached_say_why_and_change_nothing(bot: SignalListener) -> None:
    """A name that is taken, a mode that the bot does not run, and what only the listener may provide."""
    bot.attach(Strategy().handlers)
    provider = Handlers()
    provider.provide(act=print)
    with pytest.raises(ValueError, match="there is a handler 'act' already"):
        bot.attach(Strategy().handlers)
    with pytest.raises(SettingsError, match="test is not one of this bot's modes"):
        bot.attach(Strategy("other", mode="test").handlers)
    with pytest.raises(ValueError, match="provided to the listener itself"):
        bot.attach(provider)

    assert bot.plan.handlers == ("act",)


async def test_what_is_attached_or_detached_while_nothing_runs_counts_at_the_next_run(bot: SignalListener) -> None:
    """Before a run and between runs there is nothing to wait for."""
    strategy = Strategy()
    bot.attach(strategy.handlers)
    async with running(bot) as rig:
        await listening(rig, TOPIC)
    await bot.detach(strategy.handlers)
    await bot.detach(strategy.handlers)

    assert bot.plan.handlers == ()


async def test_attached_during_an_outage_it_is_listened_to_when_the_broker_is_back(bot: SignalListener) -> None:
    """A change that finds no connection is in the next one."""
    strategy = Strategy()
    broker = FakeBroker()
    async with running(bot, broker=broker) as rig:
        broker.drop("signals.demo.sig")
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)

        assert (await ended(rig, envelope)).stage is Stage.HANDLED


async def test_on_another_thread_handlers_do_not_come_and_go(bot: SignalListener) -> None:
    """A mistake of the program is said where it is made, and changes nothing."""
    strategy = Strategy()
    async with running(bot):
        with pytest.raises(RuntimeError, match="on the loop on which the listener runs"):
            await asyncio.to_thread(bot.attach, strategy.handlers)

    assert bot.plan.handlers == ()


async def test_whoever_waits_for_the_connection_is_told_when_what_was_attached_is_listened_to(
    bot: SignalListener,
) -> None:
    """A strategy's test may send as soon as that returns, whether or not other topics were wanted."""
    first, second = Strategy("one"), Strategy("two")
    async with running(bot) as rig:
        for strategy in (first, second):
            bot.attach(strategy.handlers)
            await bot.wait_connected()
            envelope = trade(bot)
            rig.send(envelope)
            await ended(rig, envelope, "one")

    assert len(first.called) == 2
    assert second.called == [envelope.id]
