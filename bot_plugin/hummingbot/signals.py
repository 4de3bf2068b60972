"""Signals in a strategy of Hummingbot.

class MyScript(SignalMixin, StrategyV2Base):
    async def on_trade(self, signal): ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot_plugin.hummingbot.internals.executors import Executors, orchestrator
from bot_plugin.hummingbot.subscription import Subscription, acting_for, acting_on
from bot_plugin.signal import Signal

if TYPE_CHECKING:
    from bot_plugin.hummingbot.adapter import Adapter


class SignalMixin:
    """Gives a script (StrategyV2Base) or a controller (ControllerBase) signals; it stands before them among the bases.

    Write what you need of ``on_trade(signal)``, ``on_alert(signal)``, ``on_prediction(signal)``, ``on_stale(stale)``
    and ``on_interrupted(signal)``, plain or async.
    They are called on Hummingbot's own loop, as ``on_tick`` is: from when the strategy is ready to trade until it
    stops, one at a time for each source and instrument, in order, once, never late. What they place is told with it.

    It has no base of Hummingbot's, as Hummingbot takes the first class of a file that has one for the strategy.
    """

    signals: Mapping[str, Any] = {}
    """Which signals it gets: ``source``, ``pair``, ``kind``, ``venue``, ``mode``, and ``timeout`` and ``rerun``, as
    ``SignalListener.on_trade`` has them. Every source's where it says nothing. May be a property."""

    predictions: Mapping[str, Any] = {}
    """Which predictions it gets: as ``signals``, and ``model``, ``minimum_confidence``, ``outliers``, and ``interval``,
    seconds within which the next one is due, for ``on_stale``."""

    def follow(self, signal: Signal, order_id: str) -> None:
        """Say that an order followed a signal, which ``buy`` or ``sell`` in its callback did not place.

        Its id is in the signal's receipts, and ``filled`` waits for it.
        """
        self._subscription.orders.follow(signal, order_id)

    def execute(self, signal: Signal, actions: Sequence[Any]) -> None:
        """Let executor actions follow a signal: of executors that are made, the orders that open; of stopped, the rest.

        ``filled`` is told when a position executor is in, and when others are over.

        Args:
            signal: what they follow.
            actions: CreateExecutorAction and StopExecutorAction, as ``determine_executor_actions`` returns them.

        Raises:
            Stopping: of a controller that has stopped: nobody takes its actions any more.
            Unfit: this Hummingbot has other executors than the plugin knows.
        """
        self._demand_taken()
        wanted, executors = list(actions), self._executors()
        for action in wanted:
            executors.expect(signal, action)
        with acting_for(None):  # its orders are told by the executors, one by one
            self._hand_over(wanted)

    # What follows is called by Hummingbot.

    def start(self, *arguments: Any) -> None:
        self._subscription.open()
        super().start(*arguments)  # type: ignore[misc]  # of the strategy, as all below

    def tick(self, timestamp: float) -> None:
        """Of a script: each second."""
        if self.ready_to_trade:  # type: ignore[attr-defined]
            self._subscription.ready()
        super().tick(timestamp)  # type: ignore[misc]

    async def control_task(self) -> None:
        """Of a controller: each second."""
        if self.market_data_provider.ready:  # type: ignore[attr-defined]
            self._subscription.ready()
        await super().control_task()  # type: ignore[misc]

    def on_stop(self) -> Any:
        """Of a script, to be awaited, before its orders are cancelled; of a controller, when its loop has ended."""
        return super().on_stop() if self._is_controller else self._stopped()  # type: ignore[misc]

    def stop(self, *arguments: Any) -> None:
        self._subscription.end_soon()
        super().stop(*arguments)  # type: ignore[misc]

    def buy(self, *arguments: Any, **options: Any) -> Any:
        self._demand_taken()
        return self._noted(super().buy(*arguments, **options))  # type: ignore[misc]

    def sell(self, *arguments: Any, **options: Any) -> Any:
        self._demand_taken()
        return self._noted(super().sell(*arguments, **options))  # type: ignore[misc]

    async def _stopped(self) -> None:
        await self._subscription.end()
        await super().on_stop()  # type: ignore[misc]

    def _noted(self, id_: str) -> str:
        """A script's order, or a controller's executor, that a callback asked for."""
        if (signal := acting_on()) is not None:
            if self._is_controller:
                self._executors().expect_made(signal, id_)
            else:
                self.follow(signal, id_)
        return id_

    def _demand_taken(self) -> None:
        """Let a callback that outlives its controller's run fail: nobody takes what it puts into the queue."""
        if self._is_controller and acting_on() is not None:
            self._subscription.demand_open()

    def _hand_over(self, actions: list[Any]) -> None:
        if self._is_controller:
            self.actions_queue.put_nowait(actions)  # type: ignore[attr-defined]
            self.executors_update_event.clear()  # type: ignore[attr-defined]  # it decides anew when they are taken
        else:
            self.executor_orchestrator.execute_actions(actions)  # type: ignore[attr-defined]

    def _executors(self) -> Executors:
        own = orchestrator() if self._is_controller else self.executor_orchestrator  # type: ignore[attr-defined]
        return Executors.of(own, self._subscription.orders)

    @property
    def _is_controller(self) -> bool:
        return hasattr(super(), "control_task")

    @property
    def _subscription(self) -> Subscription:
        """Made when it is first asked for: a strategy need not call this class's ``__init__``."""
        found: Subscription | None = self.__dict__.get("_signal_gateway")
        if found is None:
            name = self.config.id if self._is_controller else type(self).__name__  # type: ignore[attr-defined]
            found = self.__dict__["_signal_gateway"] = Subscription(self, name=name, attach=attached)
        return found


def attached() -> Adapter:
    """The companion of the running Hummingbot, attached now where it was not."""
    from bot_plugin.hummingbot.adapter import attach  # noqa: PLC0415  # it knows Hummingbot

    return attach()
