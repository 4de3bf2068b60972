"""What Hummingbot's market events say of orders; the events are made as Hummingbot declares them."""

from __future__ import annotations

from dataclasses import make_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from bot_plugin.hummingbot.fills import End, Fill, How, Side
from bot_plugin.hummingbot.internals.fit import Unfit
from bot_plugin.hummingbot.internals.order_events import read


class TradeType(Enum):
    BUY = 1
    SELL = 2
    RANGE = 3


def event(name: str, **fields: Any) -> Any:
    return make_dataclass(name, fields)(**fields)


def filled(**more: Any) -> Any:
    fields: dict[str, Any] = {
        "timestamp": 1.5, "order_id": "b1", "trading_pair": "BTC-USDT", "trade_type": TradeType.BUY,
        "price": Decimal(100), "amount": Decimal("0.1"), "exchange_trade_id": "t1",
    }  # fmt: skip
    return event("OrderFilledEvent", **fields | more)


def completed(name: str) -> Any:
    return event(
        name,
        order_id="b1",
        base_asset="BTC",
        quote_asset="USDT",
        base_asset_amount=Decimal("0.1"),
        quote_asset_amount=Decimal(10),
    )


@pytest.mark.parametrize(
    ("kind", "side"), [(TradeType.BUY, Side.BUY), (TradeType.SELL, Side.SELL), (TradeType.RANGE, Side.OTHER)]
)
def test_a_fill_says_how_much_of_what_at_what_price(kind: TradeType, side: Side) -> None:
    """Also of a kind of trade that is neither."""
    fact = read(filled(trade_type=kind))

    assert isinstance(fact, Fill)
    assert (fact.order_id, fact.side, fact.pair, fact.amount, fact.price) == (
        "b1",
        side,
        "BTC-USDT",
        Decimal("0.1"),
        Decimal(100),
    )


def test_the_same_part_told_again_is_known_and_another_with_the_same_id_is_not() -> None:
    """Some exchanges give all the parts of an order one id."""
    keys = [read(each).key for each in (filled(), filled(), filled(timestamp=2.5), filled(amount=0.2))]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("name", "side"), [("BuyOrderCompletedEvent", Side.BUY), ("SellOrderCompletedEvent", Side.SELL)]
)
def test_a_completed_order_says_its_total(name: str, side: Side) -> None:
    """The pair is made of its assets."""
    total = {"pair": "BTC-USDT", "amount": Decimal("0.1"), "quote": Decimal(10)}

    assert read(completed(name)) == End(order_id="b1", how=How.COMPLETED, side=side, **total)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("OrderCancelledEvent", How.CANCELLED),
        ("OrderExpiredEvent", How.EXPIRED),
        ("MarketOrderFailureEvent", How.FAILED),
    ],
)
def test_an_order_that_ended_otherwise_says_how(name: str, how: How) -> None:
    """Each by the name of its event."""
    assert read(event(name, order_id="b1")) == End(order_id="b1", how=how)


def test_other_events_say_nothing_of_a_fill() -> None:
    """An order that was created is no news: whoever placed it told its id."""
    assert read(event("BuyOrderCreatedEvent", order_id="b1")) is None
    assert read(event("FundingPaymentCompletedEvent", amount=1)) is None


def test_an_event_with_other_fields_is_named() -> None:
    """A Hummingbot that moved says so, with its version."""
    with pytest.raises(Unfit, match="order_id of OrderCancelledEvent"):
        read(event("OrderCancelledEvent", client_order_id="b1"))
