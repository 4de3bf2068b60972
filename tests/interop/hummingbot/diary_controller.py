"""A controller of Hummingbot that buys when a signal says so: by an order executor, or in two slices."""

from __future__ import annotations

from decimal import Decimal

from hummingbot.core.data_type.common import TradeType
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from hummingbot.strategy_v2.executors.twap_executor.data_types import TWAPExecutorConfig
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction

from bot_plugin.hummingbot import SignalMixin


class DiaryControllerConfig(ControllerConfigBase):
    controller_name: str = "diary_controller"

    def update_markets(self, markets):
        return markets.add_or_update("local_exchange", "BTC-USDT")


class DiaryController(SignalMixin, ControllerBase):
    def on_trade(self, signal):
        if signal.body.order.comment == "slices":
            self.execute(signal, [CreateExecutorAction(controller_id=self.config.id, executor_config=self._slices())])
        else:
            self.buy("local_exchange", "BTC-USDT", signal.quantity.value)

    def _slices(self):
        return TWAPExecutorConfig(
            timestamp=self.market_data_provider.time(),
            connector_name="local_exchange",
            trading_pair="BTC-USDT",
            side=TradeType.BUY,
            total_amount_quote=Decimal(200),
            total_duration=3,
            order_interval=3,
        )

    async def update_processed_data(self):
        pass

    def determine_executor_actions(self):
        return []
