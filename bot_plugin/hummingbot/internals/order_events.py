"""What Hummingbot's market events say of an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bot_plugin.hummingbot.fills import End, Fact, Fill, How, Side
from bot_plugin.hummingbot.internals.fit import require

_ENDS = {
    "OrderCancelledEvent": How.CANCELLED,
    "OrderExpiredEvent": How.EXPIRED,
    "MarketOrderFailureEvent": How.FAILED,
}
_COMPLETED = {"BuyOrderCompletedEvent": Side.BUY, "SellOrderCompletedEvent": Side.SELL}
_SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}


def read(event: object) -> Fact | None:
    """What a market event says of an order; None for one that says nothing of a fill or an end.

    Raises:
        Unfit: an event of this name has other fields in this Hummingbot.
    """
    name = type(event).__name__
    if name == "OrderFilledEvent":
        return _fill(event)
    if name in _COMPLETED:
        return _completed(event, _COMPLETED[name])
    return End(order_id=require(event, "order_id"), how=_ENDS[name]) if name in _ENDS else None


def _fill(event: object) -> Fill:
    amount, price = _decimal(require(event, "amount")), _decimal(require(event, "price"))
    parts = (require(event, "exchange_trade_id"), require(event, "timestamp"), amount, price)
    return Fill(
        order_id=require(event, "order_id"),
        key="/".join(map(str, parts)),  # an exchange may give the parts of an order one id
        side=_SIDES.get(require(event, "trade_type.name"), Side.OTHER),
        pair=require(event, "trading_pair"),
        amount=amount,
        price=price,
    )


def _completed(event: object, side: Side) -> End:
    return End(
        order_id=require(event, "order_id"),
        how=How.COMPLETED,
        side=side,
        pair=f"{require(event, 'base_asset')}-{require(event, 'quote_asset')}",
        amount=_decimal(require(event, "base_asset_amount")),
        quote=_decimal(require(event, "quote_asset_amount")),
    )


def _decimal(number: Any) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(str(number))
