"""The reference bot's book-keeping: what it says that it won is what it has more than it had."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.docs.markdown import ROOT

sys.path.insert(0, str(ROOT / "examples"))

from paper_account import Account, Market  # examples are no package
from paper_bot import PaperBot

from schemas.instrument import Instrument
from schemas.trade import Action, Effect, Order, Position, Quantity, Side, Trade, Unit

PAIR = "BTC-USDT"
amounts = st.integers(-50, 50).filter(bool).map(lambda tenths: Decimal(tenths) / 10)
prices = st.integers(1, 100_000).map(Decimal)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    file = tmp_path / "prices.csv"
    file.write_text(f"minute,{PAIR}\n0,100.0\n")
    return Market(file, speed=0, start=0)


def trade(action: Action, *, amount: str | None = None, unit: Unit = Unit.BASE, **more: object) -> Trade:
    order = None if amount is None else Order(quantity=Quantity(value=Decimal(amount), unit=unit))
    return Trade(action=action, instrument=Instrument(raw=PAIR, pair=PAIR), order=order, **more)


@given(st.lists(st.tuples(amounts, prices), max_size=20))
def test_what_was_won_is_what_is_there_more_than_before(trades: list[tuple[Decimal, Decimal]]) -> None:
    account, price = Account(), Decimal(1)
    before = account.held["USDT"]
    for amount, price in trades:
        account.trade(PAIR, amount, price)
    held = account.held.get("BTC", Decimal(0))
    open_ = held * (price - account.entry[PAIR]) if held else Decimal(0)

    worth = account.held["USDT"] + held * price
    assert abs(worth - before - account.realised - open_) < Decimal("1e-15")


def test_a_limit_is_held(market: Market) -> None:
    bot = PaperBot(market)
    bot.account.limits["BTC"] = Decimal(1)
    with pytest.raises(ValueError, match=r"1\.5 BTC is more than the limit of 1"):
        bot.follow(trade(Action.BUY, amount="1.5"))
    assert bot.account.trades == []


def test_a_signal_is_followed_to_the_position_that_it_names(market: Market) -> None:
    bot = PaperBot(market)
    for side, size in ((Side.LONG, "2"), (Side.SHORT, "1"), (Side.FLAT, "0")):
        bot.follow(trade(Action.BUY, position=Position(target=side, size=Decimal(size))))

    assert [(made["trade_type"], made["quantity"]) for made in bot.account.trades] == [
        ("BUY", "2"),
        ("SELL", "3"),
        ("BUY", "1"),
    ]


def test_an_exit_that_is_larger_than_the_position_turns_nothing_around(market: Market) -> None:
    bot = PaperBot(market)
    bot.follow(trade(Action.BUY, amount="1"))
    bot.follow(trade(Action.SELL, amount="3", effect=Effect.REDUCE))
    bot.follow(trade(Action.SELL, amount="3", effect=Effect.REDUCE))

    assert bot.account.held["BTC"] == 0
    assert len(bot.account.trades) == 2


def test_a_cancelled_order_trades_nothing_and_an_unclear_amount_is_an_error(market: Market) -> None:
    bot = PaperBot(market)

    assert bot.follow(trade(Action.CANCEL, amount="1")) is None
    with pytest.raises(ValueError, match="neither how much"):
        bot.follow(trade(Action.BUY, amount="10", unit=Unit.PERCENT))
