"""Handlers that are detached while a bot runs: their callbacks end, and nobody else notices."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from bot_plugin import (
    Handlers,
    ListenerEnded,
    Signal,
    SignalListener,
)
from bot_plugin.testing import build, running
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.strategies import TOPIC, Strategy, ended, listening, trade


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


async def test_a_plain_callback_may_detach_its_own_strategy_from_its_thread(bot: SignalListener) -> None:
    """It asks the listener's loop for it, and is not waited for."""
    strategy, loop = Handlers(), asyncio.get_running_loop()

    @strategy.on_trade("trend")
    def act(signal: Signal) -> None:
        asyncio.run_coroutine_threadsafe(bot.detach(strategy), loop).result(5)

    async with running(bot) as rig:
        bot.attach(strategy)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        receipt = await ended(rig, envelope)

    assert receipt.stage is Stage.HANDLED


async def test_a_callback_that_does_not_heed_its_cancellation_holds_nobody_up_for_long(
    bot: SignalListener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detach returns and the log names what goes on; what it says at its end is not believed any more."""
    monkeypatch.setattr("bot_plugin.absence._STUBBORN", 0.05)
    strategy, gate = Handlers(), asyncio.Event()

    @strategy.on_trade("trend")
    async def act(signal: Signal) -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    async with running(bot) as rig:
        bot.attach(strategy)
        await listening(rig, TOPIC)
        envelope = trade(bot)
        rig.send(envelope)
        await eventually(lambda: rig.receipts(envelope.id))
        async with asyncio.timeout(2):
            await bot.detach(strategy)
        receipt = await ended(rig, envelope)
        gate.set()
        await asyncio.sleep(0.05)

    assert receipt.stage is Stage.INTERRUPTED
    assert {each.stage for each in rig.receipts(envelope.id) if each.stage.final} == {Stage.INTERRUPTED}
    assert "was cancelled, and does not end" in caplog.text


@pytest.mark.parametrize("kind", ["signals", "raw"])
async def test_a_detach_that_meets_a_timeout_cuts_nothing_else(bot: SignalListener, kind: str) -> None:
    """A callback that is being cancelled by its own timeout when it is detached ends, and detach returns."""
    strategy = Handlers()
    inside, gate = asyncio.Event(), asyncio.Event()

    async def slow(*_: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            inside.set()
            await gate.wait()

    if kind == "raw":
        strategy.on_topic("raw/#", timeout=0.01)(slow)
    else:
        strategy.on_trade("trend", timeout=0.01)(slow)
    async with running(bot) as rig:
        bot.attach(strategy)
        await listening(rig, "raw/#" if kind == "raw" else TOPIC)
        rig.broker.publish("raw/x", b"") if kind == "raw" else rig.send(trade(bot))
        await inside.wait()
        leaving = asyncio.create_task(bot.detach(strategy))
        await asyncio.sleep(0.2)  # beyond the grace
        gate.set()
        async with asyncio.timeout(2):
            await leaving


async def test_a_disk_that_fails_while_a_strategy_is_detached_ends_the_run_and_not_the_strategy(
    bot: SignalListener,
) -> None:
    """Whoever stops a strategy gets no error that it cannot mend: the run ends with it."""
    strategy, inbox = Strategy(), bot.inbox
    assert inbox is not None
    strategy.gate.clear()

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    async def stop_it() -> None:
        async with running(bot) as rig:
            bot.attach(strategy.handlers)
            await bot.wait_connected()
            rig.send(trade(bot))
            await eventually(lambda: strategy.called)
            inbox.finish = fail
            await bot.detach(strategy.handlers)
            stopped.append(True)
            inbox.arrive = fail
            bot.attach(strategy.handlers)
            await bot.wait_connected()
            rig.send(trade(bot))
            await eventually(lambda: bot._running is None)

    stopped: list[bool] = []
    with pytest.raises(OSError, match="no space left"):
        await stop_it()
    assert stopped
