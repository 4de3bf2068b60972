"""Figures of strategies: whatever was traded, what was earned is what came in and what is left is worth."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.hummingbot.pnl import Tally, Trade

numbers = st.integers(1, 10**6).map(lambda number: Decimal(number) / 1000)


@st.composite
def trades(draw: st.DrawFn) -> Trade:
    sign = draw(st.sampled_from((1, -1)))
    fee = Decimal(draw(st.integers(0, 1000))) / 1000
    return Trade(market="m", pair="BTC-USDT", amount=sign * draw(numbers), price=draw(numbers), fee=fee)


@given(st.lists(trades(), min_size=1, max_size=30), numbers)
def test_what_was_earned_is_the_money_that_came_in_and_the_worth_of_what_is_left(
    story: list[Trade], price: Decimal
) -> None:
    """Realized and unrealized together are that, less fees, for any trades in any order."""
    tally = Tally()
    for trade in story:
        tally.add(trade)
    told = tally.report(lambda _market, _pair: price)

    money = -sum(trade.amount * trade.price for trade in story) - sum(trade.fee or 0 for trade in story)
    left = sum(trade.amount for trade in story)
    assert abs(told["global_pnl_quote"] - (money + left * price)) < Decimal("1e-9")
    assert told["pairs"][0]["amount"] == left
    assert told["volume_traded"] == sum(abs(trade.amount) * trade.price for trade in story)
