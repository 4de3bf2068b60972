"""A strategy of Hummingbot that takes signals, and writes down what it sees and each tick."""

from __future__ import annotations

import asyncio
import json
import os
import time
from decimal import Decimal
from pathlib import Path

from hummingbot.core.data_type.common import OrderType
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase

from bot_plugin.hummingbot import SignalMixin

RECORD = Path("data/signals.jsonl")


class DiaryScriptConfig(StrategyV2ConfigBase):
    script_file_name: str = os.path.basename(__file__)  # noqa: PTH119  # as its scripts do

    def update_markets(self, markets):
        return markets.add_or_update("local_exchange", "BTC-USDT")


class DiaryScript(SignalMixin, StrategyV2Base):
    """The text of an alert's order says what to do: wait for ever, or place a limit order; else buy at the market."""

    async def on_trade(self, signal):
        order = signal.body.order
        write(called=signal.id, key=signal.key)
        if order.comment == "wait":
            await asyncio.Event().wait()
        limit = order.comment == "limit"
        kind, price = (OrderType.LIMIT, order.price) if limit else (OrderType.MARKET, Decimal("NaN"))
        placed = self.buy("local_exchange", "BTC-USDT", order.quantity.value, kind, price)
        write(placed=placed, id=signal.id)

    def on_interrupted(self, signal):
        write(interrupted=signal.id)

    def on_tick(self):
        write(tick=time.time())


def write(**said):
    with RECORD.open("a") as record:
        record.write(json.dumps(said) + "\n")
