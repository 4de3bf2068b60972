"""Handlers that come and go while a bot runs: nothing is lost, nothing runs twice, and nobody else notices."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import (
    Handlers,
    ListenerEnded,
    PluginSettings,
    RemoteCommands,
    SettingsError,
    Signal,
    SignalListener,
    SqliteInbox,
)
from bot_plugin.presence import decode_card
from bot_plugin.testing import FakeBroker, Rig, build, running
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.card import BotCard
from schemas.envelope import Envelope
from schemas.receipt import Receipt, Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock

TOPIC = "signals/v1/trade/trend/+"


class Strategy:
    """A strategy that counts what it is called for, and may be held inside its callback."""

    def __init__(self, name: str = "act", source: str = "trend", **filters: Any) -> None:
        self.handlers = Handlers()
        self.called: list[str] = []
        self.interrupted: list[str] = []
        self.signals: list[Signal] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.handlers.on_trade(source, name=name, **filters)(self.act)
        self.handlers.on_interrupted(self.note)

    async def act(self, signal: Signal) -> None:
        self.called.append(signal.id)
        self.signals.append(signal)
        await self.gate.wait()

    async def note(self, signal: Signal) -> None:
        self.interrupted.append(signal.id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock, tmp_path: Path) -> Callable[..., SignalListener]:
    """A bot with a state folder; made again it is another process of the same bot."""

    def make(**settings: Any) -> SignalListener:
        given = {"bot": "demo", "grace": 0.1, "state_dir": str(tmp_path / "state"), **settings}
        inbox = SqliteInbox(tmp_path / "inbox.db", monotonic=clock.monotonic)
        return SignalListener(PluginSettings(**given), inbox=inbox, now=clock, monotonic=clock.monotonic)

    return make


@pytest.fixture
def bot(make: Callable[..., SignalListener]) -> SignalListener:
    return make()


def filters(rig: Rig, role: str = "sig") -> set[str]:
    """What the broker sends the bot, of what handlers want."""
    session = rig.broker._sessions.get(f"signals.demo.{role}")
    own = ("signals/v1/bot/", "signals/v1/receipted/")
    return set() if session is None else {one for one in session.filters if not one.startswith(own)}


async def listening(rig: Rig, *wanted: str) -> None:
    await eventually(lambda: filters(rig) == set(wanted) and "signals.demo.sig" in rig.broker._links)


def cards(rig: Rig) -> list[BotCard]:
    found = [decode_card(message.payload) for message in rig.broker.published if "/bot/demo" in message.topic]
    return [card for card in found if card is not None]


def last(rig: Rig, envelope: Envelope, handler: str = "act") -> Receipt:
    return [receipt for receipt in rig.receipts(envelope.id) if receipt.handler == handler][-1]


async def ended(rig: Rig, envelope: Envelope, handler: str = "act") -> Receipt:
    """The last receipt of a signal in a handler."""
    await eventually(lambda: any(r.handler == handler and r.stage.final for r in rig.receipts(envelope.id)))
    return last(rig, envelope, handler)


def trade(bot: SignalListener, **more: Any) -> Envelope:
    return build(bot, source="trend", **more)


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


async def test_a_callback_of_another_strategy_goes_on_while_one_comes_and_goes(bot: SignalListener) -> None:
    """Starting or stopping one strategy neither interrupts nor repeats what another one does."""
    slow, other = Strategy("slow", "slow"), Strategy("other")
    slow.gate.clear()
    async with running(bot) as rig:
        bot.attach(slow.handlers)
        await listening(rig, "signals/v1/trade/slow/+")
        envelope = build(bot, source="slow")
        rig.send(envelope)
        await eventually(lambda: slow.called)
        bot.attach(other.handlers)
        await listening(rig, "signals/v1/trade/slow/+", TOPIC)
        await bot.detach(other.handlers)
        await listening(rig, "signals/v1/trade/slow/+")
        slow.gate.set()
        receipt = await ended(rig, envelope, "slow")

    assert receipt.stage is Stage.HANDLED
    assert slow.called == [envelope.id]


async def test_detach_returns_when_the_callback_has_ended(bot: SignalListener) -> None:
    """A callback that ends within the grace is handled, and detach is not there before."""
    strategy = Strategy()
    strategy.gate.clear()
    async with running(bot) as rig:
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(lambda: strategy.called)
        leaving = [asyncio.create_task(bot.detach(strategy.handlers)) for _ in range(2)]
        await asyncio.sleep(0.02)
        assert not any(task.done() for task in leaving)
        strategy.gate.set()
        await asyncio.gather(*leaving)
        receipt = await ended(rig, envelope)

    assert receipt.stage is Stage.HANDLED


async def test_a_callback_that_exceeds_the_grace_is_interrupted_and_detach_returns(bot: SignalListener) -> None:
    """What was cut short says so, is not told as a crash, and is not run again when the strategy is back."""
    strategy = Strategy()
    strategy.gate.clear()
    async with running(bot) as rig:
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(lambda: strategy.called)
        async with asyncio.timeout(2):
            await bot.detach(strategy.handlers)
        receipt = await ended(rig, envelope)
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        second = trade(bot)
        strategy.gate.set()
        rig.send(second)
        await ended(rig, second)

    assert (receipt.stage, receipt.reason) == (
        Stage.INTERRUPTED,
        "the handler was detached while the callback ran",
    )
    assert strategy.called == [envelope.id, second.id]
    assert strategy.interrupted == []


async def test_a_callback_may_detach_its_own_strategy(bot: SignalListener) -> None:
    """A strategy that stops itself in its callback neither waits for itself nor is interrupted."""
    strategy = Handlers()
    returned = asyncio.Event()

    @strategy.on_trade("trend")
    async def act(signal: Signal) -> None:
        await bot.detach(strategy)
        returned.set()

    async with running(bot) as rig:
        bot.attach(strategy)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        receipt = await ended(rig, envelope)

    assert receipt.stage is Stage.HANDLED
    assert returned.is_set()


async def test_a_thread_that_does_not_end_holds_nobody_up(bot: SignalListener) -> None:
    """A plain callback cannot be stopped: detach returns after the grace, and says what it left."""
    gate, called = threading.Event(), threading.Event()
    strategy = Handlers()

    @strategy.on_trade("trend")
    def act(signal: Signal) -> None:
        called.set()
        gate.wait(5)

    async with running(bot) as rig:
        bot.attach(strategy)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(called.is_set)
        await bot.detach(strategy)
        receipt = await ended(rig, envelope)
        gate.set()

    assert receipt.stage is Stage.INTERRUPTED


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


async def test_a_queue_is_closed_with_its_strategy_and_filled_again(bot: SignalListener) -> None:
    """Whoever waits in a queue learns that its strategy was detached; what was in it is there when it is back."""
    strategy = Handlers()
    queue = strategy.queue("trend", name="box")
    async with running(bot) as rig:
        bot.attach(strategy)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(lambda: len(queue))
        await bot.detach(strategy)
        with pytest.raises(ListenerEnded):
            queue.get_nowait()
        bot.attach(strategy)
        await eventually(lambda: len(queue))
        with queue.get_nowait() as signal:
            assert signal.id == envelope.id
        receipt = await ended(rig, envelope, "box")
        assert queue.get_nowait() is None

    assert receipt.stage is Stage.HANDLED


async def test_a_raw_handler_comes_and_goes_too(bot: SignalListener) -> None:
    """Raw messages reach an attached handler, and none after it was detached."""
    strategy = Handlers()
    heard: list[bytes] = []
    gate = asyncio.Event()

    @strategy.on_topic("hbot/demo/#")
    async def hear(topic: str, payload: bytes) -> None:
        heard.append(payload)
        await gate.wait()

    async with running(bot) as rig:
        bot.attach(strategy)
        await listening(rig, "hbot/demo/#")
        rig.broker.publish("hbot/demo/x", b"1")
        rig.broker.publish("hbot/demo/x", b"2")
        await eventually(lambda: heard)
        async with asyncio.timeout(2):
            await bot.detach(strategy)
        await listening(rig)
        gate.set()
        await asyncio.sleep(0.02)

    assert heard == [b"1"]


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


async def test_a_handler_that_is_detached_while_its_start_is_stored_is_not_called(bot: SignalListener) -> None:
    """Between the disk and the call there is no gap in which a detached callback begins; it runs once when back."""
    strategy, inbox = Strategy(), bot.inbox
    assert inbox is not None
    stored, storing, free = inbox.stored, asyncio.Event(), asyncio.Event()
    begun: list[str] = []
    start = inbox.start

    def starting(id_: str, handler: str, *, at: int) -> None:
        begun.append(id_)
        start(id_, handler, at=at)

    async def slowly() -> None:
        await stored()
        if begun:
            storing.set()
            await free.wait()

    inbox.start, inbox.stored = starting, slowly
    async with running(bot) as rig:
        bot.attach(strategy.handlers)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await storing.wait()
        async with asyncio.timeout(2):
            await bot.detach(strategy.handlers)
        free.set()
        await asyncio.sleep(0.05)
        assert strategy.called == []
        bot.attach(strategy.handlers)
        receipt = await ended(rig, envelope)

    assert receipt.stage is Stage.HANDLED
    assert strategy.called == [envelope.id]


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
