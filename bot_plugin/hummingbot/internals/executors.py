"""Which executor placed which order, told to the signal that asked for it."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from functools import wraps
from typing import Any

from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.orders import OrderWatch
from bot_plugin.signal import Signal

_HELD_OPEN = frozenset({"position_executor"})
"""Executors whose work for a signal is done once they are in: what they place later closes what they opened."""

_EXPECTED = 1_000
_SEAT = "_signal_gateway_executors"


def orchestrator() -> Any:
    """The orchestrator of the strategy that runs.

    Raises:
        Unfit: there is none where this Hummingbot should have one.
    """
    from bot_plugin.hummingbot.internals.application import running  # noqa: PLC0415  # it needs Hummingbot, the rest not

    return require(running(), "trading_core.strategy.executor_orchestrator")


class Executors:
    """The executors of one running strategy, seen as its orchestrator makes and stops them.

    Args:
        orchestrator: Hummingbot's ExecutorOrchestrator.
        orders: is told of the orders.

    Raises:
        Unfit: the orchestrator of this Hummingbot makes or stops executors otherwise.
    """

    def __init__(self, orchestrator: Any, orders: OrderWatch) -> None:
        self._orchestrator, self._orders = orchestrator, orders
        self._create = require(orchestrator, "create_executor")
        self._stop = require(orchestrator, "stop_executor")
        self._made: OrderedDict[str, Signal] = OrderedDict()
        self._stopped: OrderedDict[str, Signal] = OrderedDict()
        orchestrator.create_executor, orchestrator.stop_executor = self._creating, self._stopping

    @classmethod
    def of(cls, orchestrator: Any, orders: OrderWatch) -> Executors:
        """The one of an orchestrator."""
        found = getattr(orchestrator, _SEAT, None)
        if found is None:
            found = cls(orchestrator, orders)
            setattr(orchestrator, _SEAT, found)
        return found

    def expect(self, signal: Signal, action: Any) -> None:
        """Follow for a signal what an action makes of an executor, when the orchestrator comes to it."""
        if hasattr(action, "executor_config"):
            self.expect_made(signal, require(action, "executor_config.id"))
        elif hasattr(action, "keep_position"):
            self._expect(self._stopped, signal, require(action, "executor_id"))

    def expect_made(self, signal: Signal, executor_id: str) -> None:
        """Follow for a signal the executor of this id, when the orchestrator makes it."""
        self._expect(self._made, signal, executor_id)

    def _expect(self, expected: OrderedDict[str, Signal], signal: Signal, executor_id: str) -> None:
        self._orders.following(signal).placing(executor_id)
        expected[executor_id] = signal
        while len(expected) > _EXPECTED:
            expected.popitem(last=False)

    def _creating(self, action: Any) -> None:
        executor_id = require(action, "executor_config.id")
        signal = self._made.pop(executor_id, None)
        try:
            self._create(action)
        finally:
            executor = self._find(action.controller_id, executor_id)
            if signal is not None:
                self._made_for(signal, executor_id, executor)

    def _made_for(self, signal: Signal, executor_id: str, executor: Any | None) -> None:
        if executor is None or require(executor, "is_closed"):  # as one whose amount is too small is at once
            self._orders.following(signal).placed(executor_id)
        else:
            side, held = getattr(executor.config, "side", None), executor.config.type in _HELD_OPEN
            self._follow(executor, signal, side=side, held=held)

    def _stopping(self, action: Any) -> None:
        executor_id = require(action, "executor_id")
        signal = self._stopped.pop(executor_id, None)
        executor = self._find(action.controller_id, executor_id)
        if signal is not None:
            if executor is None or require(executor, "is_closed"):
                self._orders.following(signal).placed(executor_id)
            else:
                self._follow(executor, signal, side=None, held=False)
        self._stop(action)

    def _find(self, controller_id: str, executor_id: str) -> Any | None:
        executors = require(self._orchestrator, "active_executors").get(controller_id, [])
        return next((executor for executor in executors if executor.config.id == executor_id), None)

    def _follow(self, executor: Any, signal: Signal, *, side: Any, held: bool) -> None:
        """Follow what an executor places from now on.

        Args:
            executor: not started on its orders yet, or asked to stop.
            signal: whose orders they are.
            side: only orders of this side; None for all.
            held: nothing more is expected when its orders are filled; of others all are awaited until it is over.
        """
        place, stop = require(executor, "place_order"), require(executor, "stop")
        form = inspect.signature(place)
        following = self._orders.following(signal)

        @wraps(place)
        def placing(*arguments: Any, **options: Any) -> Any:
            order_id = place(*arguments, **options)
            if side is None or form.bind(*arguments, **options).arguments.get("side") == side:
                self._orders.follow(signal, order_id)
            following.placed(executor.config.id)
            return order_id

        @wraps(stop)
        def stopping(*arguments: Any, **options: Any) -> Any:
            executor.stop = stop
            try:
                return stop(*arguments, **options)
            finally:
                following.placed(executor.config.id)
                if not held:
                    self._orders.release(following)

        executor.place_order, executor.stop = placing, stopping
        if not held:
            following.hold()
