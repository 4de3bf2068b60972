"""The exchange of the tests keeps its books: whatever is ordered, at whatever prices, and across restarts."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.interop.hummingbot.exchange.local_exchange.venue import BALANCES, FEE, Refused, Venue
from tests.interop.hummingbot.home import LocalExchange

AMOUNTS = st.decimals("0.001", "20", places=3)
PRICES = st.decimals("90", "110", places=1)
ORDERS = st.tuples(
    st.sampled_from(["BUY", "SELL"]), st.sampled_from(["MARKET", "LIMIT", "LIMIT_MAKER"]), AMOUNTS, PRICES
)
STEPS = st.one_of(
    ORDERS,
    st.tuples(st.just("price"), PRICES, st.sampled_from(["1", "0.5", "0.1"])),
    st.tuples(st.just("cancel"), st.integers(1, 20)),
    st.just(("restart",)),
)


@pytest.fixture
def exchange(tmp_path: Path) -> LocalExchange:
    return LocalExchange(tmp_path / "exchange")


@pytest.fixture
def venue(exchange: LocalExchange, tmp_path: Path) -> Venue:
    return Venue(tmp_path / "exchange")


def place(venue: Venue, id_: str, side: str, kind: str, amount: str, *, limit: str | None = None) -> None:
    price = None if limit is None else Decimal(limit)
    venue.place(id_, "BTC-USDT", side, kind, amount=Decimal(amount), limit=price)


def test_a_market_order_takes_the_price_that_is_there_and_pays_the_fee_on_top(
    venue: Venue, exchange: LocalExchange
) -> None:
    place(venue, "a", "BUY", "MARKET", "1")
    place(venue, "b", "SELL", "MARKET", "2")

    assert [order["state"] for order in exchange.orders()] == ["FILLED", "FILLED"]
    paid, got = Decimal("100.1"), 2 * Decimal("99.9")
    assert exchange.balances()["BTC"] == 10 + 1 - 2
    assert exchange.balances()["USDT"] == 100_000 - paid + got - (paid + got) * FEE


def test_a_limit_order_waits_until_its_price_is_reached_and_is_filled_at_it(
    venue: Venue, exchange: LocalExchange
) -> None:
    place(venue, "a", "BUY", "LIMIT", "2", limit="95")
    assert venue.available()["USDT"] == 100_000 - 190 * (1 + FEE)

    exchange.price("BTC-USDT", bid="93", ask="94", share="0.5")
    venue.look()

    assert exchange.orders()[0]["filled"] == "1.0"
    assert (exchange.orders()[0]["state"], exchange.trades()[0]["price"]) == ("OPEN", "95")
    venue.cancel("a")
    assert venue.available() == venue.balances() == exchange.balances()
    assert exchange.orders()[0]["state"] == "CANCELED"


def test_it_says_why_it_refuses(venue: Venue, exchange: LocalExchange) -> None:
    with pytest.raises(Refused, match="insufficient balance"):
        place(venue, "a", "SELL", "MARKET", "10.1")
    with pytest.raises(Refused, match="would take"):
        place(venue, "a", "BUY", "LIMIT_MAKER", "1", limit="101")
    with pytest.raises(Refused, match="not found"):
        venue.cancel("a")
    exchange.behave(refuses="closed on Sundays")
    with pytest.raises(Refused, match="closed on Sundays"):
        place(venue, "a", "BUY", "MARKET", "1")
    assert exchange.orders() == []


@given(steps=st.lists(STEPS, max_size=30))
def test_balances_are_what_trades_made_of_them_and_never_negative(steps: list[tuple]) -> None:
    with TemporaryDirectory() as folder:
        exchange = LocalExchange(Path(folder) / "exchange")
        venue = Venue(Path(folder) / "exchange")
        for number, step in enumerate(steps):
            with suppress(Refused):
                venue = take(step, number, venue=venue, exchange=exchange)

        expected = {asset: Decimal(amount) for asset, amount in BALANCES.items()}
        for trade in exchange.trades():
            amount, way = Decimal(trade["amount"]), 1 if trade["side"] == "BUY" else -1
            expected["BTC"] += way * amount
            expected["USDT"] -= way * amount * Decimal(trade["price"]) + Decimal(trade["fee"])
        assert venue.balances() == expected
        assert all(0 <= amount <= expected[asset] for asset, amount in venue.available().items())
        for order in exchange.orders():
            filled = sum(Decimal(trade["amount"]) for trade in venue.trades(order["client_id"]))
            assert Decimal(order["filled"]) == filled <= Decimal(order["amount"])
            assert (order["state"] == "FILLED") == (filled == Decimal(order["amount"]))


def take(step: tuple, number: int, *, venue: Venue, exchange: LocalExchange) -> Venue:
    match step:
        case ("price", price, share):
            exchange.price("BTC-USDT", bid=str(price), ask=str(price + 1), share=share)
            venue.look()
        case ("cancel", which):
            venue.cancel(f"order-{which}")
        case ("restart",):
            return Venue(exchange.folder)
        case (side, kind, amount, price):
            place(venue, f"order-{number}", side, kind, str(amount), limit=None if kind == "MARKET" else str(price))
    return venue
