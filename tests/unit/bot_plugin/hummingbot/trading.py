"""What a strategy has below it in Hummingbot, as far as the mixin touches it: its bases, executors and companion."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

from bot_plugin import PluginSettings, SignalListener
from bot_plugin.hummingbot.orders import OrderWatch

_numbers = itertools.count(1)


class Companion:
    """What is attached: the listener runs on a fake broker."""

    def __init__(self) -> None:
        self.listener = SignalListener(PluginSettings(bot="bot1"))
        self.orders = OrderWatch()


class Script:
    """As StrategyV2Base calls itself, and is called."""

    def __init__(self) -> None:
        self.ready_to_trade = False
        self.executor_orchestrator = Orchestrator(self)
        self.done: list[str] = []

    def start(self, clock: Any, timestamp: float) -> None:
        self.done.append("started")

    def tick(self, timestamp: float) -> None:
        self.ready_to_trade = True

    async def on_stop(self) -> None:
        self.done.append("stopped")

    def stop(self, clock: Any) -> None:
        self.done.append("left the clock")

    def buy(self, connector: str, pair: str, amount: str, *_: Any) -> str:
        return f"buy-{next(_numbers)}"

    def sell(self, connector: str, pair: str, amount: str, *_: Any) -> str:
        return f"sell-{next(_numbers)}"


class Controller:
    """As ControllerBase is."""

    def __init__(self, id_: str = "c1") -> None:
        self.config = SimpleNamespace(id=id_)
        self.market_data_provider = SimpleNamespace(ready=False)
        self.actions_queue: asyncio.Queue[Any] = asyncio.Queue()
        self.executors_update_event = asyncio.Event()
        self.executors_update_event.set()
        self.done: list[str] = []

    def start(self) -> None:
        self.done.append("started")

    async def control_task(self) -> None:
        self.done.append("controlled")

    def on_stop(self) -> None:
        self.done.append("loop ended")

    def stop(self) -> None:
        self.done.append("stopped")

    def buy(self, connector: str, pair: str, amount: str) -> str:
        config = executor_config(side="BUY", type_="order_executor")
        self.actions_queue.put_nowait([create(config)])
        return config.id

    sell = buy


def executor_config(*, side: str | None, type_: str) -> SimpleNamespace:
    config = SimpleNamespace(id=f"e{next(_numbers)}", type=type_)
    if side is not None:
        config.side = side
    return config


def create(config: Any) -> SimpleNamespace:
    return SimpleNamespace(controller_id="c1", executor_config=config)


def stop(executor: Executor) -> SimpleNamespace:
    return SimpleNamespace(controller_id="c1", executor_id=executor.config.id, keep_position=False)


class Executor:
    """As ExecutorBase is, but that a test moves it."""

    def __init__(self, config: Any, strategy: Script | None) -> None:
        self.config, self.strategy = config, strategy
        self.is_closed = hasattr(config, "too_small")
        if strategy is not None:
            self.loop = asyncio.get_running_loop().create_task(self.control_loop())

    async def control_loop(self) -> None:
        """Get in, and out again."""
        self.open("BUY")
        self.open("SELL")

    def place_order(self, connector_name: str, trading_pair: str, order_type: str, side: str, amount: str) -> str:
        if self.strategy is None:
            return f"{side.lower()}-{next(_numbers)}"
        trade = self.strategy.buy if side == "BUY" else self.strategy.sell
        return trade(connector_name, trading_pair, amount)

    def stop(self) -> None:
        self.is_closed = True

    def open(self, side: str = "BUY") -> str:
        return self.place_order(connector_name="x", trading_pair="BTC-USDT", order_type="M", side=side, amount="1")


class Orchestrator:
    """As ExecutorOrchestrator is."""

    def __init__(self, strategy: Any = None) -> None:
        self.strategy = strategy
        self.active_executors: dict[str, list[Executor]] = {"c1": []}
        self.refuses = False

    @property
    def executors(self) -> list[Executor]:
        return self.active_executors["c1"]

    def execute_actions(self, actions: list[Any]) -> None:
        for action in actions:
            if hasattr(action, "executor_config"):
                self.create_executor(action)
            elif hasattr(action, "keep_position"):
                self.stop_executor(action)

    def create_executor(self, action: Any) -> None:
        if self.refuses:
            raise ValueError("Unsupported executor config type")
        self.active_executors[action.controller_id].append(Executor(action.executor_config, self.strategy))

    def stop_executor(self, action: Any) -> None:
        """The executor places what closes it, and ends, later."""
