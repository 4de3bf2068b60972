"""A strategy of Hummingbot that trades each signal of the plugin by a market order, and writes it down."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hummingbot.core.data_type.common import OrderType
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase

from bot_plugin.hummingbot.signals import SignalMixin

RECORD = Path("data/signals.jsonl")


class SignalScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do
    exchange: str = "local_exchange"
    pair: str = "BTC-USDT"

    def update_markets(self, markets):
        return markets.add_or_update(self.exchange, self.pair)


class SignalScript(SignalMixin, StrategyV2Base):
    def on_trade(self, signal):
        side = self.buy if signal.action == "buy" else self.sell
        order = side(self.config.exchange, self.config.pair, signal.quantity.value, OrderType.MARKET)
        with RECORD.open("a") as record:
            record.write(json.dumps({"id": signal.id, "order": order}) + "\n")

    def on_tick(self):
        pass
