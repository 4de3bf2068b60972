"""The orders that are open at the connectors, and which of them the exchange says that it cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from bot_plugin.hummingbot.internals.fit import require


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """One order that is open.

    Args:
        exchange: the connector's name.
        pair: such as ``BTC-USDT``.
        id: the one that Hummingbot gave it.
        side: ``buy`` or ``sell``.
        price: None for one at the market.
        amount: of the base asset.
        filled: of the amount.
        since: seconds since the epoch; None where it is not known.
    """

    exchange: str
    pair: str
    id: str
    side: str
    price: Decimal | None
    amount: Decimal
    filled: Decimal
    since: float | None


def open_orders(connectors: Mapping[str, Any]) -> list[OpenOrder]:
    """What is open now, exchange by exchange."""
    return [_read(name, order) for name, connector in connectors.items() for order in _orders(connector)]


def _orders(connector: Any) -> Iterable[Any]:
    return getattr(connector, "limit_orders", None) or ()


def _read(exchange: str, order: Any) -> OpenOrder:
    created = getattr(order, "creation_timestamp", 0)
    return OpenOrder(
        exchange=exchange,
        pair=str(order.trading_pair),
        id=str(order.client_order_id),
        side="buy" if order.is_buy else "sell",
        price=_number(order.price),
        amount=_number(order.quantity) or Decimal(0),
        filled=_number(order.filled_quantity) or Decimal(0),
        since=created / 1e6 if created and created > 0 else None,
    )


def _number(value: Any) -> Decimal | None:
    if value is None:
        return None
    number = Decimal(value)
    return number if number.is_finite() else None


class Endings:
    """Hears which orders end while it is entered: cancelled, or otherwise.

    Args:
        connectors: those whose orders count.
    """

    def __init__(self, connectors: Mapping[str, Any]) -> None:
        from hummingbot.core.event.event_forwarder import EventForwarder  # noqa: PLC0415
        from hummingbot.core.event.events import MarketEvent  # noqa: PLC0415

        self._connectors = list(connectors.values())
        self.cancelled: set[str] = set()
        self.ended: set[str] = set()
        """Those that were filled, expired or failed."""
        cancelled = EventForwarder(lambda event: self.cancelled.add(str(event.order_id)))
        ended = EventForwarder(lambda event: self.ended.add(str(event.order_id)))
        names = ("BuyOrderCompleted", "SellOrderCompleted", "OrderExpired", "OrderFailure")
        self._listeners = [(require(MarketEvent, "OrderCancelled"), cancelled)]
        self._listeners += [(require(MarketEvent, name), ended) for name in names]

    def __enter__(self) -> Self:
        for connector in self._connectors:
            for event, listener in self._listeners:
                connector.add_listener(event, listener)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for connector in self._connectors:
            for event, listener in self._listeners:
                connector.remove_listener(event, listener)
