"""A strategy of Hummingbot that trades when an external event says so: order.market and order.limit, buy and sell."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

from hummingbot.core.data_type.common import OrderType
from hummingbot.remote_iface.mqtt import ExternalEventFactory
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase
from pydantic import Field

RECORD = Path("data/events.jsonl")


class TradingScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do
    exchange: str = "local_exchange"
    pair: str = "BTC-USDT"
    most: Decimal = Field(default=Decimal(5), gt=0, json_schema_extra={"is_updatable": True})

    def update_markets(self, markets):
        return markets.add_or_update(self.exchange, self.pair)


class TradingScript(StrategyV2Base):
    """It listens in both ways that Hummingbot has: its tick empties a queue, and a callback writes everything down."""

    asked = ExternalEventFactory.create_queue("*")

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        ExternalEventFactory.create_async("*", self._hear)

    def _hear(self, message, name):
        self._write(event=name, **message.model_dump())

    def on_tick(self):
        while self.asked:
            name, message = self.asked.popleft()
            if name in ("order.market", "order.limit"):
                self._order(name, message.data)

    def _order(self, name, data):
        side = self.buy if data["type"] == "buy" else self.sell
        amount = min(Decimal(str(data["amount"])), self.config.most)
        kind = OrderType.LIMIT if name == "order.limit" else OrderType.MARKET
        price = Decimal(str(data["price"])) if kind is OrderType.LIMIT else Decimal("NaN")
        self._write(order=side(self.config.exchange, self.config.pair, amount, kind, price))

    def did_fill_order(self, event):
        self._write(filled=event.order_id, amount=str(event.amount), price=str(event.price))

    def format_status(self):
        return f"trades {self.config.pair} on {self.config.exchange}, at most {self.config.most}"

    def _write(self, **said):
        with RECORD.open("a") as record:
            record.write(json.dumps(said) + "\n")
