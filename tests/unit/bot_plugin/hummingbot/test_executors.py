"""Which orders of executors follow a signal, and when the signal is filled."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot_plugin.hummingbot.internals.executors import Executors
from bot_plugin.hummingbot.internals.fit import Unfit
from bot_plugin.hummingbot.orders import OrderWatch
from tests.unit.bot_plugin.hummingbot.followed import Followed, end, fill
from tests.unit.bot_plugin.hummingbot.trading import Executor, Orchestrator, create, executor_config, stop


@pytest.fixture
def watch() -> OrderWatch:
    return OrderWatch()


@pytest.fixture
def orchestrator() -> Orchestrator:
    return Orchestrator()


@pytest.fixture
def executors(orchestrator: Orchestrator, watch: OrderWatch) -> Executors:
    return Executors.of(orchestrator, watch)


def settle(watch: OrderWatch, order_id: str, amount: str = "1") -> None:
    watch.hear(fill(order_id, amount))
    watch.hear(end(order_id))


def make(executors: Executors, orchestrator: Orchestrator, signal: Any, *, type_: str, side: Any = "BUY") -> Executor:
    action = create(executor_config(side=side, type_=type_))
    executors.expect(signal, action)
    orchestrator.execute_actions([action])
    return orchestrator.executors[-1]


def test_a_position_executor_is_filled_when_it_is_in(
    executors: Executors, orchestrator: Orchestrator, watch: OrderWatch
) -> None:
    """Its opening order follows the signal; what it places later to close is its own."""
    signal = Followed()
    executor = make(executors, orchestrator, signal, type_="position_executor")
    opening = executor.open("BUY")
    executor.open("SELL")
    settle(watch, opening)

    assert signal.orders == [opening]
    assert signal.reasons == ["bought 1 BTC-USDT at 100"]


def test_another_executor_is_filled_when_it_is_over(
    executors: Executors, orchestrator: Orchestrator, watch: OrderWatch
) -> None:
    """One that works in slices has more to come after its first order is filled."""
    signal = Followed()
    executor = make(executors, orchestrator, signal, type_="twap_executor")
    slices = [executor.open(), executor.open()]
    for order_id in slices:
        settle(watch, order_id)
    assert (signal.orders, signal.reasons) == (slices, [])

    executor.stop()
    assert executor.is_closed
    assert signal.reasons == ["bought 2 BTC-USDT at 100"]


def test_all_orders_follow_where_an_executor_has_no_side(
    executors: Executors, orchestrator: Orchestrator, watch: OrderWatch
) -> None:
    """An arbitrage buys and sells."""
    signal = Followed()
    executor = make(executors, orchestrator, signal, type_="arbitrage_executor", side=None)

    assert [executor.open("BUY"), executor.open("SELL")] == signal.orders


def test_what_closes_a_stopped_executor_follows_the_signal_that_stopped_it(
    executors: Executors, orchestrator: Orchestrator, watch: OrderWatch
) -> None:
    """An exit signal is filled by the close, and the entry's signal keeps its own order."""
    entry, exit_ = Followed("entry"), Followed("exit")
    executor = make(executors, orchestrator, entry, type_="position_executor")
    opening = executor.open("BUY")
    settle(watch, opening)
    action = stop(executor)
    executors.expect(exit_, action)
    orchestrator.execute_actions([action])
    closing = executor.open("SELL")
    settle(watch, closing)
    assert exit_.reasons == []

    executor.stop()
    assert (entry.orders, exit_.orders) == ([opening], [closing])
    assert (len(entry.reasons), len(exit_.reasons)) == (1, 1)


def test_an_executor_that_is_closed_already_brings_nothing_to_the_signal_that_stops_it(
    executors: Executors, orchestrator: Orchestrator, watch: OrderWatch
) -> None:
    """The signal's other orders do not wait for it."""
    signal = Followed()
    executor = make(executors, orchestrator, Followed("entry"), type_="position_executor")
    executor.stop()
    action = stop(executor)
    executors.expect(signal, action)
    orchestrator.execute_actions([action])
    watch.follow(signal, "b1")
    settle(watch, "b1")

    assert len(signal.reasons) == 1


def test_an_executor_that_ends_as_it_is_made_is_not_waited_for(
    executors: Executors, orchestrator: Orchestrator, watch: OrderWatch
) -> None:
    """One whose amount is too small closes at once; other orders of the signal are filled all the same."""
    signal = Followed()
    config = executor_config(side="BUY", type_="twap_executor")
    config.too_small = True
    action = create(config)
    executors.expect(signal, action)
    orchestrator.execute_actions([action])
    watch.follow(signal, "b1")
    settle(watch, "b1")

    assert len(signal.reasons) == 1


def test_executors_that_no_signal_asked_for_are_left_alone(executors: Executors, orchestrator: Orchestrator) -> None:
    """What a strategy makes by itself stays as Hummingbot has it."""
    orchestrator.execute_actions([create(executor_config(side="BUY", type_="grid_executor"))])
    (executor,) = orchestrator.executors

    assert {"place_order", "stop"}.isdisjoint(vars(executor))
    orchestrator.execute_actions([stop(executor)])


def test_an_executor_that_cannot_be_made_raises_as_it_does_without_us(
    executors: Executors, orchestrator: Orchestrator
) -> None:
    """The error is Hummingbot's own, and the next one is not taken for it."""
    orchestrator.refuses = True
    signal = Followed()
    with pytest.raises(ValueError, match="Unsupported"):
        make(executors, orchestrator, signal, type_="x")
    orchestrator.refuses = False
    orchestrator.execute_actions([create(executor_config(side="BUY", type_="x"))])
    orchestrator.executors[-1].open()

    assert signal.orders == []


def test_one_orchestrator_is_watched_once(orchestrator: Orchestrator, watch: OrderWatch) -> None:
    """However many controllers ask: their executors pass through one place."""
    assert Executors.of(orchestrator, watch) is Executors.of(orchestrator, watch)
    assert Executors.of(Orchestrator(), watch) is not Executors.of(orchestrator, watch)


def test_an_orchestrator_of_another_shape_is_named(watch: OrderWatch) -> None:
    """A Hummingbot that moved says so, with its version."""
    with pytest.raises(Unfit, match="create_executor of SimpleNamespace"):
        Executors.of(SimpleNamespace(), watch)


def test_what_is_expected_and_never_made_is_forgotten(executors: Executors, orchestrator: Orchestrator) -> None:
    """A queue that Hummingbot dropped does not fill the memory."""
    signals = [Followed(str(number)) for number in range(1_001)]
    actions = [create(executor_config(side="BUY", type_="position_executor")) for _ in signals]
    for signal, action in zip(signals, actions, strict=True):
        executors.expect(signal, action)
    orchestrator.execute_actions([actions[0], actions[-1]])
    for executor in orchestrator.executors:
        executor.open()

    assert (signals[0].orders, len(signals[-1].orders)) == ([], 1)
