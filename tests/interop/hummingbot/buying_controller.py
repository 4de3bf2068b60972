"""A controller of Hummingbot that buys once, at the market, as soon as it may."""

from __future__ import annotations

from decimal import Decimal

from hummingbot.core.data_type.common import TradeType
from hummingbot.strategy_v2.controllers.controller_base import ControllerBase, ControllerConfigBase
from hummingbot.strategy_v2.executors.order_executor.data_types import ExecutionStrategy, OrderExecutorConfig
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction
from pydantic import Field


class BuyingControllerConfig(ControllerConfigBase):
    controller_type: str = "generic"
    controller_name: str = "buying_controller"
    exchange: str = "local_exchange"
    pair: str = "BTC-USDT"
    amount: Decimal = Field(default=Decimal("0.1"), gt=0)
    most: Decimal = Field(default=Decimal(1), gt=0, json_schema_extra={"is_updatable": True})

    def update_markets(self, markets):
        return markets.add_or_update(self.exchange, self.pair)


class BuyingController(ControllerBase):
    async def update_processed_data(self):
        pass

    def determine_executor_actions(self):
        if self.executors_info:
            return []
        order = OrderExecutorConfig(
            timestamp=self.market_data_provider.time(),
            connector_name=self.config.exchange,
            trading_pair=self.config.pair,
            side=TradeType.BUY,
            amount=self.config.amount,
            execution_strategy=ExecutionStrategy.MARKET,
        )
        return [CreateExecutorAction(controller_id=self.config.id, executor_config=order)]
