"""The particulars of a trade: order, bar, times and indicators, as far as a document tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.errors import Refused
from gateway.formats import ORDER_TYPES, meaning
from gateway.intake import values
from gateway.intake.reading import Reading
from schemas.secrets import folded
from schemas.trade import Action, Bar, Order, OrderType, Quantity, Unit

_MAX_INTERVAL = 32
_NOT_OURS = ("trail", "oco", "ioc", "fok", "twap", "iceberg", "post", "bracket", "if", "none", "conditional")
"""Order types that exist and that the contract has no word for: they stay in ``extra``."""


def quantity(reading: Reading, action: Action) -> Quantity | None:
    """Read how much; 0 is absent for a close or a cancel, and refused for a buy or a sell."""
    unit = reading.read("unit", values.unit)
    for field, fixed in (("quantity", unit), ("quote_quantity", Unit.QUOTE), ("risk_quantity", Unit.RISK_PERCENT)):
        place = reading.place(field)
        if place is not None:
            return reading.attempt(_ordered(fixed, action), *place)
    for field, fixed in (("base", Unit.BASE), ("quote", Unit.QUOTE)):
        for path, value in reading.places(field):
            if isinstance(value, Decimal):
                return reading.attempt(_ordered(fixed, action), path, value)
            reading.give_back(field, path, value)
    return None


def _ordered(unit: Unit | None, action: Action) -> Callable[[str, Any], Quantity | None]:
    def read(path: str, value: Any) -> Quantity | None:
        found = values.quantity(path, value, unit)
        if found is None and action in {Action.BUY, Action.SELL}:
            raise values.refused(path, "a quantity of 0 orders nothing", value, "Leave it out to let the bot decide.")
        return found

    return read


def order(reading: Reading, *, amount: Quantity | None, reduce_only: bool | None, entry: str | None) -> Order | None:
    """Read the order; ``entry`` is ``long`` or ``short`` where it may open that side, whose stops then count."""
    kind = _order_type(reading)
    stop_loss = reading.read("stop_loss", values.level)
    take_profit = tuple(_levels(reading, "take_profit"))
    if entry is not None:
        stop_loss = _sided(reading, stop_loss, f"{entry}_stop", "order.stop_loss")
        if not take_profit and (level := _sided(reading, None, f"{entry}_take_profit", "order.take_profit")):
            take_profit = (level,)
    price, stop_loss = _prices(reading, kind, stop_loss)
    found = Order(
        type=kind,
        quantity=amount,
        price=price,
        stop_loss=stop_loss,
        take_profit=take_profit,
        trailing=reading.read("trailing", values.level),
        leverage=reading.read("leverage", values.leverage),
        reduce_only=reduce_only,
        id=text(reading, "id"),
        comment=text(reading, "comment", limit=values.MAX_TEXT),
    )
    return None if found == _NO_ORDER else found


_NO_ORDER = Order()
_NO_BAR = Bar()


def _order_type(reading: Reading) -> OrderType | None:
    found = reading.read("order_type", lambda path, value: _known_type(reading, path, value))
    for path, value in reading.places("order_word"):
        weak = meaning(ORDER_TYPES, value)
        if weak is None or found is not None:
            reading.leave(path, value)
        else:
            found = weak
    return found


def _known_type(reading: Reading, path: str, value: Any) -> OrderType | None:
    found = meaning(ORDER_TYPES, value)
    if found is None:
        if not folded(str(value)[:80]).startswith(_NOT_OURS):
            raise values.refused(
                path, "is not an order type that is understood", value, "Accepted: market, limit, stop, stop_limit."
            )
        reading.leave(path, value)
    return found


def _levels(reading: Reading, field: str) -> Iterator[Decimal]:
    for path, value in reading.places(field):
        entries = (
            [(f"{path}[{i}]", entry) for i, entry in enumerate(value)] if isinstance(value, list) else [(path, value)]
        )
        for where, entry in entries:
            if isinstance(entry, dict | list):
                reading.leave(where, entry)
            elif (level := reading.attempt(values.level, where, entry)) is not None:
                yield level


def _sided(reading: Reading, stated: Decimal | None, field: str, name: str) -> Decimal | None:
    if stated is not None:
        return stated
    level = reading.read(field, values.level)
    if level is not None:
        reading.inferred.append(name)
    return level


def _prices(
    reading: Reading, kind: OrderType | None, stop_loss: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """Place ``stop_price``: a stop order's price, else the stop loss where no other is named."""
    trigger = reading.place("trigger")
    if trigger is not None and kind is OrderType.STOP:
        return reading.attempt(values.level, *trigger), stop_loss
    price = reading.read("price", lambda path, value: _price(path, value, kind))
    if trigger is not None and (kind is OrderType.STOP_LIMIT or stop_loss is not None):
        reading.leave(*trigger)
    elif trigger is not None:
        stop_loss = reading.attempt(values.level, *trigger)
    return price, stop_loss


def _price(path: str, value: Any, kind: OrderType | None) -> Decimal | None:
    found = values.price(path, value)
    if found == 0 and kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}:
        raise values.refused(path, "a limit order has no price of 0", value)
    return found or None


def text(reading: Reading, field: str, *, limit: int = values.MAX_SHORT) -> str | None:
    """Read a text; what is there but is none is left over."""
    place = reading.place(field)
    if place is None:
        return None
    if not isinstance(place[1], str | Decimal):
        reading.leave(*place)
        return None
    return reading.attempt(lambda path, value: values.text(path, value, limit=limit), *place)


def times(reading: Reading) -> tuple[datetime | None, datetime | None]:
    """Tell when it was fired and, where ``time`` stands beside such a field, when its bar opened."""
    fired_at = reading.read("fired_at", values.instant)
    opened_at = reading.read("opened_at", values.instant)
    for path, value in reading.places("time"):
        leaf = folded(path.rpartition(".")[2])
        if fired_at is None and leaf == "date" and _unreadable(path, value):
            reading.leave(path, value)
        elif fired_at is None:
            fired_at = reading.attempt(values.instant, path, value)
        elif opened_at is None and leaf == "time":
            opened_at = reading.attempt(values.instant, path, value)
        else:
            reading.leave(path, value)
    return fired_at, opened_at


def _unreadable(path: str, value: Any) -> bool:
    try:
        return values.instant(path, value) is None
    except Refused:
        return True


def bar(reading: Reading, opened_at: datetime | None) -> Bar | None:
    """Read the bar that fired."""
    found = Bar(
        interval=text(reading, "interval", limit=_MAX_INTERVAL),
        opened_at=opened_at,
        open=reading.read("open", values.measured),
        high=reading.read("high", values.measured),
        low=reading.read("low", values.measured),
        close=reading.read("bar_close", values.measured),
        volume=reading.read("volume", values.measured),
    )
    return None if found == _NO_BAR else found


def indicators(reading: Reading) -> dict[str, Decimal | float]:
    """Read named numbers: an ``indicators`` object and ``plot_0`` to ``plot_19``; what is no number is left over."""
    named = [(f"{path}.{name}", name, value) for path, group in reading.places("indicators") if isinstance(group, dict)
             for name, value in group.items()]  # fmt: skip
    named += [(path, path.rpartition(".")[2], value) for path, value in reading.places("indicator")]
    found: dict[str, Decimal | float] = {}
    for path, name, value in named:
        try:
            number = values.measured(path, value)
        except Refused:
            reading.leave(path, value)
        else:
            if number is not None:
                found[name] = number
    return found
