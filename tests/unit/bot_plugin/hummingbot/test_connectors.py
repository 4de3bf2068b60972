"""What a connector tells of itself: also one that is not ready, holds nothing, or has positions."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from bot_plugin.hummingbot.internals.connectors import Connection, Holding, read
from bot_plugin.hummingbot.internals.fit import Unfit
from bot_plugin.hummingbot.internals.open_orders import OpenOrder, open_orders


class Side(Enum):
    SHORT = 2


def connector(**more: Any) -> SimpleNamespace:
    held = {"BTC": Decimal(2), "ETH": Decimal(0)}
    return SimpleNamespace(
        ready=True, get_all_balances=lambda: held, get_available_balance=lambda asset: held[asset] / 4, **more
    )


def test_a_connector_that_waits_names_what_for() -> None:
    """The steps that are not done, its network, its pairs."""
    told = read(
        connector(
            status_dict={"order_books_initialized": False, "account_balance": True},
            network_status=SimpleNamespace(name="NOT_CONNECTED"),
            trading_pairs=["BTC-USDT"],
        )
    )
    assert told == Connection(
        ready=True,
        missing=("order_books_initialized",),
        connected=False,
        pairs=("BTC-USDT",),
        balances={"BTC": Holding(total=Decimal(2), available=Decimal("0.5"))},
        positions=(),
    )


def test_positions_are_told_where_a_connector_has_them() -> None:
    """As a perpetual does."""
    position = SimpleNamespace(
        trading_pair="BTC-USDT", position_side=Side.SHORT, entry_price=Decimal(100), amount=Decimal(-1),
        leverage=Decimal(5), unrealized_pnl=Decimal("0.5"),
    )  # fmt: skip
    (told,) = read(connector(account_positions={"BTC-USDTSHORT": position})).positions

    assert told == {
        "pair": "BTC-USDT", "side": "short", "entry_price": 100, "amount": -1, "leverage": 5,
        "unrealized_pnl": Decimal("0.5"),
    }  # fmt: skip


def test_a_connector_that_lacks_what_is_needed_is_named() -> None:
    """Its balances cannot be told otherwise."""
    with pytest.raises(Unfit, match="has no get_all_balances of SimpleNamespace"):
        read(SimpleNamespace(ready=False))


def test_open_orders_are_read_whatever_they_leave_out() -> None:
    """A market order has no price, a new one no time and nothing filled; some connectors have no orders at all."""
    nan = Decimal("NaN")
    order = SimpleNamespace(
        client_order_id="a", trading_pair="BTC-USDT", is_buy=False, price=nan, quantity=Decimal(1), filled_quantity=nan
    )
    told = open_orders({"kraken": SimpleNamespace(limit_orders=[order]), "amm": SimpleNamespace()})

    assert told == [
        OpenOrder(
            exchange="kraken", pair="BTC-USDT", id="a", side="sell", price=None, amount=Decimal(1), filled=Decimal(0),
            since=None,
        )
    ]  # fmt: skip
