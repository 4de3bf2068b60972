"""How the running strategy does: the reports of its controllers, or else what its fills come to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bot_plugin.hummingbot.internals.fit import offers, require
from bot_plugin.hummingbot.internals.markets import MarketEvent, Markets, fee_in, middle_price
from bot_plugin.hummingbot.pnl import Tally, Trade

Snapshot = dict[str, dict[str, Any]]
"""By controller, or by the strategy's name: ``{"performance": {...}, "custom_info": {...}}``."""


class Performance:
    """How the strategies of an application do, whichever runs.

    Args:
        application: the running Hummingbot.
        markets: tells the fills.

    Raises:
        Unfit: it has its strategy elsewhere.
    """

    def __init__(self, application: Any, markets: Markets) -> None:
        self._core, self._markets = require(application, "trading_core"), markets
        require(self._core, "strategy")
        require(self._core, "strategy_name")
        self._strategy: Any = None
        self._since = time.monotonic()
        self._tally = Tally()
        markets.listen(self._hear)

    def snapshot(self) -> Snapshot:
        """The figures of what runs now; nothing where nothing does."""
        strategy = self._noticed()
        if strategy is None:
            return {}
        if controllers := getattr(strategy, "controllers", None):
            return {name: _of_controller(strategy, name, one) for name, one in controllers.items()}
        return {self._name: {"performance": self._tally.report(self._price), "custom_info": {}}}

    @property
    def publishes(self) -> bool:
        """Whether the running script has what Hummingbot's own scripts publish their reports with."""
        return getattr(self._core.strategy, "_pub", None) is not None

    @property
    def age(self) -> float:
        """Seconds since the strategy was seen first."""
        return time.monotonic() - self._since

    @property
    def _name(self) -> str:
        return str(self._core.strategy_name or type(self._core.strategy).__name__)

    def _noticed(self) -> Any:
        """The running strategy, whose figures begin when it does."""
        strategy = self._core.strategy
        if strategy is not self._strategy:
            self._strategy, self._tally, self._since = strategy, Tally(), time.monotonic()
        return strategy

    def _hear(self, event: MarketEvent) -> None:
        if event.type == "OrderFilled" and self._noticed() is not None:
            trade = _trade(event)
            if (trade.amount * trade.price).is_finite():
                self._tally.add(trade)

    def _price(self, market: str, pair: str) -> Decimal | None:
        prices = (middle_price(each, pair) for each in self._markets.now if self._markets.name(each) == market)
        return next((price for price in prices if price is not None), None)


def _trade(event: MarketEvent) -> Trade:
    said = event.said
    sign = 1 if require(said, "trade_type.name") == "BUY" else -1
    quote = said.trading_pair.rpartition("-")[2]
    return Trade(
        market=event.market,
        pair=said.trading_pair,
        amount=sign * Decimal(said.amount),
        price=Decimal(said.price),
        fee=fee_in(quote, event),
    )


def _of_controller(strategy: Any, name: str, controller: Any) -> dict[str, Any]:
    """What Hummingbot's own script with controllers tells of one."""
    report = require(strategy, "executor_orchestrator.generate_performance_report")(name)
    custom: Mapping[str, Any] = controller.get_custom_info() if offers(controller, "get_custom_info") else {}
    return {"performance": require(report, "model_dump")(), "custom_info": dict(custom)}
