"""A script of Hummingbot that trades what a TradingView strategy says: its entries buy, its exits sell.

Copy it into Hummingbot's scripts/, and conf/scripts/tradingview_directional.yml into its conf/scripts/; then start it.
"""

from __future__ import annotations

import os
from decimal import Decimal

from hummingbot.core.data_type.common import MarketDict, OrderType
from hummingbot.core.event.events import OrderFilledEvent
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase
from pydantic import Field

from bot_plugin import Signal
from bot_plugin.hummingbot import SignalMixin
from schemas.trade import Action, Effect, Unit


class TradingViewDirectionalConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as all its scripts have it
    exchange: str = "binance_paper_trade"
    pair: str = "BTC-USDT"
    source: str = "tradingview"
    amount: Decimal = Field(default=Decimal("0.001"), gt=0)  # of the base asset, where an alert does not say it
    most: Decimal = Field(default=Decimal("0.01"), gt=0)  # of the base asset in one order, whatever an alert says

    def update_markets(self, markets: MarketDict) -> MarketDict:
        return markets.add_or_update(self.exchange, self.pair)


class TradingViewDirectional(SignalMixin, StrategyV2Base):
    """It sells no more than it bought since it was started."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.held = Decimal(0)

    @property
    def signals(self) -> dict[str, str]:
        return {"source": self.config.source, "pair": self.config.pair}

    def on_trade(self, signal: Signal) -> None:
        """What it raises is in the signal's receipt."""
        trade, config = signal.body, self.config
        if trade.action is Action.CANCEL:
            raise ValueError("it has market orders only: there is nothing to cancel")
        if trade.action is not Action.BUY:
            self.sell(config.exchange, config.pair, self.to_sell(signal), OrderType.MARKET)
        elif trade.effect is Effect.REDUCE:
            raise ValueError("it has no short position that a buy could reduce")
        else:
            self.buy(config.exchange, config.pair, self.asked(signal) or config.amount, OrderType.MARKET)

    def on_alert(self, signal: Signal) -> None:
        self.logger().info(f"TradingView says: {signal.message}")

    def on_interrupted(self, signal: Signal) -> None:
        """Hummingbot ended within on_trade; only the exchange knows if the order is there."""
        words = f"look at {self.config.exchange}: was the {signal.action} of {signal.pair} placed? It is not repeated."
        self.logger().warning(words)

    def did_fill_order(self, event: OrderFilledEvent) -> None:
        self.held += event.amount if event.trade_type.name == "BUY" else -event.amount

    def to_sell(self, signal: Signal) -> Decimal:
        if self.held <= 0:
            raise ValueError("nothing to sell: it has bought nothing since it was started")
        return min(self.asked(signal) or self.held, self.held)

    def asked(self, signal: Signal) -> Decimal | None:
        """How much of the base asset an alert asks for, as far as is allowed; None where it does not say."""
        quantity = signal.quantity
        if quantity is None or quantity.unit not in {Unit.BASE, Unit.CONTRACTS}:
            return None
        return min(quantity.value, self.config.most)

    def format_status(self) -> str:
        return f"follows {self.config.source} on {self.config.pair}; holds {self.held}\n" + super().format_status()
