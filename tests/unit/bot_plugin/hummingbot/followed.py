"""A signal that writes down what it is told of its orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bot_plugin.hummingbot.fills import End, Fill, How, Side


class Followed:
    """Stands in for a Signal."""

    def __init__(self, id_: str = "s1") -> None:
        self.id = id_
        self.orders: list[str] = []
        self.reasons: list[str] = []

    def placed(self, order_id: str) -> None:
        self.orders.append(order_id)

    def filled(self, reason: str) -> None:
        self.reasons.append(reason)


def fill(order_id: str, amount: str = "0.1", *, price: str = "100", key: str = "1", side: Side = Side.BUY) -> Fill:
    return Fill(order_id=order_id, key=key, side=side, pair="BTC-USDT", amount=Decimal(amount), price=Decimal(price))


def end(order_id: str, how: How = How.COMPLETED, **more: Any) -> End:
    return End(order_id=order_id, how=how, **more)
