"""What the figures of a strategy say of its trades, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bot_plugin.hummingbot.pnl import Tally, Trade

PRICES = {"BTC-USDT": Decimal(110), "ETH-BTC": Decimal("0.05")}


def trade(amount: str, price: str, *, fee: str | None = "0", pair: str = "BTC-USDT", market: str = "binance") -> Trade:
    known = None if fee is None else Decimal(fee)
    return Trade(market=market, pair=pair, amount=Decimal(amount), price=Decimal(price), fee=known)


def report(*trades: Trade, known: bool = True) -> dict[str, Any]:
    tally = Tally()
    for one in trades:
        tally.add(one)
    return tally.report(lambda _, pair: PRICES[pair] if known else None)


def test_what_was_bought_and_sold_again_is_realized_less_fees_and_the_rest_is_not() -> None:
    """Two buys at an average of 102, half of it sold at 108; the other half is worth 110 now."""
    told = report(trade("1", "100", fee="0.1"), trade("1", "104", fee="0.1"), trade("-1", "108", fee="0.2"))

    assert told["realized_pnl_quote"] == Decimal("5.6")
    assert told["unrealized_pnl_quote"] == 8
    assert (told["global_pnl_quote"], told["fees_quote"]) == (Decimal("13.6"), Decimal("0.4"))
    assert told["global_pnl_pct"] == Decimal("13.6") / 312 * 100
    assert (told["volume_traded"], told["trades"], told["quote"]) == (312, 3, "USDT")
    (pair,) = told["pairs"]
    assert (pair["market"], pair["trading_pair"], pair["amount"]) == ("binance", "BTC-USDT", 1)
    assert pair["breakeven_price"] == 102


def test_a_sale_before_a_buy_earns_as_the_price_falls() -> None:
    """Sold at 120 and bought back at 115: 5; what was bought beyond it begins at its own price."""
    told = report(trade("-1", "120"), trade("3", "115"))

    assert told["realized_pnl_quote"] == 5
    assert told["pairs"][0]["breakeven_price"] == 115
    assert told["unrealized_pnl_quote"] == -10


def test_nothing_traded_is_nothing_earned() -> None:
    """The figures are there from the start, and are zero: no pair, no currency."""
    told = report()

    assert (told["realized_pnl_quote"], told["volume_traded"], told["trades"], told["pairs"]) == (0, 0, 0, [])
    assert "quote" not in told


def test_what_is_not_known_is_left_out() -> None:
    """A price that is missing takes the unrealized figure along, a fee the realized one; the volume stays."""
    priceless = report(trade("1", "100", fee="0.1"), known=False)
    assert "unrealized_pnl_quote" not in priceless
    assert "global_pnl_quote" not in priceless
    assert priceless["realized_pnl_quote"] == Decimal("-0.1")

    feeless = report(trade("1", "100", fee=None))
    assert not {"realized_pnl_quote", "fees_quote", "global_pnl_quote"} & set(feeless)
    assert (feeless["unrealized_pnl_quote"], feeless["volume_traded"]) == (10, 100)


def test_currencies_are_not_added() -> None:
    """Pairs with different quote assets have figures of their own, and there is no total."""
    told = report(trade("1", "100"), trade("2", "0.04", pair="ETH-BTC"))

    assert list(told) == ["pairs"]
    assert [pair["unrealized_pnl_quote"] for pair in told["pairs"]] == [10, Decimal("0.02")]


def test_markets_are_told_apart_and_added() -> None:
    """The same pair on two markets is two positions, and one total."""
    told = report(trade("1", "100"), trade("-1", "104", market="kucoin"))

    assert [(pair["market"], pair["amount"]) for pair in told["pairs"]] == [("binance", 1), ("kucoin", -1)]
    assert told["unrealized_pnl_quote"] == 10 - 6
