"""A script and a controller with the mixin: from when until when they get signals, and what is told of their orders."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from bot_plugin import Signal, vigil
from bot_plugin.hummingbot import SignalMixin, signals, subscription
from bot_plugin.hummingbot.internals import executors
from bot_plugin.in_force import Stale
from bot_plugin.testing import Rig, build, running
from schemas.receipt import Receipt
from tests.unit.bot_plugin.hummingbot.followed import Followed, end, fill
from tests.unit.bot_plugin.hummingbot.trading import (
    Companion,
    Controller,
    Orchestrator,
    Script,
    create,
    executor_config,
)


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> Companion:
    companion = Companion()
    monkeypatch.setattr(signals, "attached", lambda: companion)
    return companion


@pytest.fixture
async def rig(companion: Companion) -> AsyncIterator[Rig]:
    async with running(companion.listener) as rig:
        yield rig


class Seen(SignalMixin, Script):
    """A script that writes down what it sees, and on which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.thread: int | None = None

    def on_trade(self, signal: Signal) -> None:
        self.thread = threading.get_ident()
        self.seen.append(signal.id)


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def send(rig: Rig, **signal: Any) -> str:
    """Publish a signal when the bot listens; its id."""
    envelope = build(rig.listener, **signal)

    def sent() -> bool:
        try:
            rig.send(envelope)
        except LookupError:
            return False
        return True

    await eventually(sent)
    return envelope.id


async def receipts(rig: Rig, id_: str, stage: str) -> Receipt:
    await eventually(lambda: any(receipt.stage == stage for receipt in rig.receipts(id_)))
    return next(receipt for receipt in rig.receipts(id_) if receipt.stage == stage)


def start(script: Any) -> Any:
    script.start(None, 0.0)
    script.tick(1.0)
    script.tick(2.0)
    return script


async def test_a_script_gets_signals_when_it_can_trade_on_its_own_thread(rig: Rig) -> None:
    """Not before its markets are ready; a plain method runs where on_tick does."""
    script = Seen()
    script.start(None, 0.0)
    script.tick(1.0)
    assert rig.listener.plan.handlers == ()

    script.tick(2.0)
    assert rig.listener.plan.handlers == ("Seen.on_trade",)
    id_ = await send(rig)
    receipt = await receipts(rig, id_, "handled")
    assert (script.seen, script.thread, receipt.handler) == ([id_], threading.get_ident(), "Seen.on_trade")


async def test_a_script_that_stopped_gets_none_though_it_ticks_once_more(rig: Rig) -> None:
    """Hummingbot's clock goes on while it waits for the stop; nothing is taken up again."""
    script = start(Seen())
    await script.on_stop()
    script.tick(3.0)
    script.stop(None)

    assert rig.listener.plan.handlers == ()
    assert script.done == ["started", "stopped", "left the clock"]


async def test_a_script_that_only_leaves_the_clock_is_given_back_too(rig: Rig) -> None:
    """Not every way of Hummingbot's to stop a strategy asks it first."""
    script = start(Seen())
    script.stop(None)

    await eventually(lambda: rig.listener.plan.handlers == ())


async def test_orders_of_a_callback_and_of_its_tasks_are_told_with_the_signal(rig: Rig, companion: Companion) -> None:
    """buy and sell in it need no further word; follow is for others; filled comes when all are."""

    class Buys(SignalMixin, Script):
        async def on_trade(self, signal: Signal) -> None:
            placed.append(self.buy("x", "BTC-USDT", "1"))
            await asyncio.create_task(self.more())
            self.follow(signal, "own-1")

        async def more(self) -> None:
            placed.append(self.sell("x", "BTC-USDT", "1"))

    placed: list[str] = []
    script = start(Buys())
    script.buy("x", "BTC-USDT", "1")
    id_ = await send(rig)
    handled = await receipts(rig, id_, "handled")
    assert handled.order_ids == (*placed, "own-1")

    for order_id in handled.order_ids:
        companion.orders.hear(fill(order_id))
        companion.orders.hear(end(order_id))
    filled = await receipts(rig, id_, "filled")
    assert (filled.order_ids, filled.reason) == (handled.order_ids, "bought 0.3 BTC-USDT at 100")


async def test_what_a_task_does_after_the_callback_has_ended_is_not_the_signals(rig: Rig) -> None:
    """Some connectors tell of fills in tasks that an order of the callback began; what is placed then is its own."""

    class Leaves(SignalMixin, Script):
        async def on_trade(self, signal: Signal) -> None:
            self.later = asyncio.create_task(self.after(signal))

        async def after(self, signal: Signal) -> None:
            await ended.wait()
            self.buy("x", "BTC-USDT", "1")
            self.follow(signal, "own-1")

    ended = asyncio.Event()
    script = start(Leaves())
    id_ = await send(rig)
    await receipts(rig, id_, "handled")
    ended.set()
    await script.later

    assert script._subscription.orders._open.keys() == {"own-1"}


async def test_a_signal_that_comes_as_the_strategy_stops_does_nothing_and_says_so(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is bought while Hummingbot closes its executors, however long it takes to give the handlers back."""

    async def detach(_: object) -> None:
        await asyncio.Event().wait()

    script = start(Seen())
    monkeypatch.setattr(rig.listener, "detach", detach)
    script.stop(None)
    receipt = (await rig.settled(await send(rig)))[-1]

    assert (receipt.stage, receipt.reason, script.seen) == (
        "failed",
        "Stopping: the strategy stopped as this signal came; nothing was done for it",
        [],
    )


async def test_filters_come_from_the_strategys_own_configuration(rig: Rig) -> None:
    """signals may be a property; other sources are not even subscribed."""

    class Filtered(Seen):
        pair = "ETH-USDT"

        @property
        def signals(self) -> dict[str, str]:  # type: ignore[override]
            return {"source": "tradingview", "pair": self.pair, "name": "eth"}

    script = start(Filtered())
    other = await send(rig, source="tradingview", pair="BTC-USDT")
    id_ = await send(rig, source="tradingview", pair="ETH-USDT")
    await receipts(rig, id_, "handled")

    assert script.seen == [id_]
    assert rig.receipts(other)[-1].stage == "refused"
    assert rig.listener.plan.handlers == ("eth",)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "it has none of on_trade, on_alert and on_prediction"),
        ({"signals": {"pair": "BTC/USDT"}, "on_trade": lambda *_: None}, "a pair is spelled BTC-USDT"),
    ],
)
async def test_a_strategy_that_cannot_get_signals_runs_on_and_the_log_says_why_once(
    rig: Rig, caplog: pytest.LogCaptureFixture, body: dict[str, Any], words: str
) -> None:
    """It trades as it does without the plugin."""
    script = start(type("Wrong", (SignalMixin, Script), body)())
    script.tick(3.0)

    assert caplog.text.count("Wrong gets no signals") == 1
    assert words in caplog.text


async def test_a_companion_that_cannot_be_attached_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong settings do not stop a strategy; orders cannot be followed, and that is said."""

    def attached() -> Companion:
        raise ValueError("mqtt_port: 0 is no port")

    monkeypatch.setattr(signals, "attached", attached)
    script = start(Seen())

    assert caplog.text.count("Seen gets no signals: ValueError: mqtt_port: 0 is no port") == 1
    with pytest.raises(RuntimeError, match="Seen has no companion"):
        script.follow(None, "b1")


class Signalled(SignalMixin, Controller):
    """A controller that buys on a trade, and opens executors on an alert."""

    async def on_trade(self, signal: Signal) -> None:
        self.made = self.buy("x", "BTC-USDT", "1")

    def on_alert(self, signal: Signal) -> None:
        self.execute(signal, [create(executor_config(side="BUY", type_="position_executor"))])


@pytest.fixture
def orchestrator(monkeypatch: pytest.MonkeyPatch) -> Orchestrator:
    orchestrator = Orchestrator()
    monkeypatch.setattr(signals, "orchestrator", lambda: orchestrator)
    return orchestrator


async def control(controller: Any) -> Any:
    controller.start()
    controller.market_data_provider.ready = True
    await controller.control_task()
    return controller


async def test_a_controller_gets_signals_while_it_runs_and_again_when_it_is_started_again(rig: Rig) -> None:
    """It is named by its configuration's id; stop gives it back."""
    controller = Signalled("trend")
    controller.start()
    await controller.control_task()
    assert rig.listener.plan.handlers == ()

    await control(controller)
    assert rig.listener.plan.handlers == ("trend.on_trade", "trend.on_alert")
    controller.stop()
    controller.on_stop()
    await eventually(lambda: rig.listener.plan.handlers == ())
    await controller.control_task()
    assert rig.listener.plan.handlers == ()

    await control(controller)
    await eventually(lambda: rig.listener.plan.handlers == ("trend.on_trade", "trend.on_alert"))


async def test_a_controller_that_is_stopped_and_started_in_one_turn_gets_signals_again(rig: Rig) -> None:
    """Its old calls end first; the end of its last run does not end the new one."""
    controller = await control(Signalled("trend"))
    controller.stop()
    controller.start()
    await controller.control_task()
    await eventually(lambda: rig.listener.plan.handlers == ())
    await asyncio.sleep(0.01)

    await controller.control_task()
    assert rig.listener.plan.handlers == ("trend.on_trade", "trend.on_alert")


@pytest.mark.parametrize("action", ["buy", None], ids=["buy", "execute"])
async def test_what_a_controller_asks_for_takes_its_own_road_and_is_followed(
    rig: Rig, companion: Companion, orchestrator: Orchestrator, action: str | None
) -> None:
    """Its actions go into its queue; the order that the executor places is the signal's."""
    controller = await control(Signalled())
    id_ = await send(rig, action=action, message=None if action else "go")
    orchestrator.execute_actions(await asyncio.wait_for(controller.actions_queue.get(), 5))
    (executor,) = orchestrator.executors
    order_id = executor.open()
    assert (await receipts(rig, id_, "handled")).order_ids == (order_id,)
    companion.orders.hear(fill(order_id))
    companion.orders.hear(end(order_id))
    executor.stop()

    filled = await receipts(rig, id_, "filled")
    assert (filled.order_ids, filled.reason) == ((order_id,), "bought 0.1 BTC-USDT at 100")
    assert controller.executors_update_event.is_set() is (action == "buy")


@pytest.mark.parametrize("act", ["buy", "sell", "execute"])
async def test_what_a_controllers_callback_asks_for_after_its_stop_fails_and_is_not_told_as_handled(
    rig: Rig, companion: Companion, orchestrator: Orchestrator, act: str
) -> None:
    """Hummingbot takes nothing out of the queue any more: no action is put there, and no order is waited for."""

    class Late(SignalMixin, Controller):
        async def on_trade(self, signal: Signal) -> None:
            began.set()
            await stopped.wait()
            if act == "execute":
                self.execute(signal, [create(executor_config(side="BUY", type_="position_executor"))])
            else:
                getattr(self, act)("x", "BTC-USDT", "1")

    began, stopped = asyncio.Event(), asyncio.Event()
    controller = await control(Late())
    id_ = await send(rig)
    await asyncio.wait_for(began.wait(), 5)
    controller.stop()
    stopped.set()
    receipt = (await rig.settled(id_))[-1]

    assert (receipt.stage, receipt.reason) == (
        "failed",
        "Stopping: the strategy stopped meanwhile; what was asked for now is not done",
    )
    assert controller.actions_queue.empty()


async def test_an_executor_that_places_nothing_yet_does_not_keep_the_next_signal_waiting(
    rig: Rig, orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose price is not there places its order later: the callback ends without it."""
    monkeypatch.setattr(subscription, "PATIENCE", 0.01)
    controller = await control(Signalled())
    id_ = await send(rig)
    orchestrator.execute_actions(await asyncio.wait_for(controller.actions_queue.get(), 5))

    assert (await receipts(rig, id_, "handled")).order_ids == ()


async def test_what_the_strategy_is_told_of_a_crash_it_is_told_as_it_stops_too(companion: Companion) -> None:
    """Only what would trade is refused then."""
    told: list[Any] = []
    script = Seen()
    script.on_interrupted = told.append
    start(script)
    (interrupted,) = companion.listener.plan.interrupted
    script._subscription._open = False
    await interrupted.callback(signal := Followed())

    assert told == [signal]


async def test_a_script_hands_its_actions_over_at_once_and_only_the_order_that_opens_is_told(rig: Rig) -> None:
    """Executors place orders through the script's own buy, in tasks that the callback began; what closes is theirs."""

    class Hands(SignalMixin, Script):
        async def on_trade(self, signal: Signal) -> None:
            self.execute(signal, [create(executor_config(side="BUY", type_="position_executor"))])
            await self.executor_orchestrator.executors[-1].loop

    start(Hands())
    (order_id,) = (await receipts(rig, await send(rig), "handled")).order_ids

    assert order_id.startswith("buy")


async def test_two_controllers_are_told_apart(rig: Rig) -> None:
    """Both get the signal, and each has a receipt of its own."""
    for name in ("one", "two"):
        await control(Signalled(name))
    id_ = await send(rig, action=None, message="go")
    await rig.settled(id_, handlers=2)

    assert {receipt.handler for receipt in rig.receipts(id_) if receipt.stage.final} == {"one.on_alert", "two.on_alert"}


def test_a_strategy_that_was_not_started_cannot_follow() -> None:
    """The error says so; nothing is silently forgotten."""
    with pytest.raises(RuntimeError, match="Seen has no companion"):
        Seen().follow(None, "b1")
    assert executors.Executors is signals.Executors


class Predicted(SignalMixin, Script):
    """A script that follows a model, and goes flat without one."""

    predictions: Mapping[str, Any] = {"source": "models", "minimum_confidence": 0.6, "interval": 0.5}

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.flat: list[tuple[str, int]] = []

    def on_prediction(self, signal: Signal) -> None:
        self.seen.append(signal.id)

    def on_stale(self, stale: Stale) -> None:
        self.flat.append((stale.reason, threading.get_ident()))


async def test_a_script_follows_predictions_and_is_told_on_its_own_thread_when_they_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that falls silent is told once, by the bot's own timer."""
    script = start(Predicted())
    said = {"probabilities": {"long": 1.0}, "confidence": 0.9}
    id_ = await send(rig, source="models", prediction=said)
    receipt = await receipts(rig, id_, "handled")
    assert (script.seen, receipt.handler) == ([id_], "Predicted.on_prediction")
    # shorter than the second between two looks, so what is found first is told when the start has settled
    monkeypatch.setattr(vigil, "SETTLE", 0)
    await eventually(lambda: script.flat)
    assert script.flat == [("the source is silent for more than 0.5 s", threading.get_ident())]
    await script.on_stop()
    assert rig.listener.plan.watches == ()
