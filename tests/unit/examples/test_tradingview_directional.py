"""The TradingView example for Hummingbot: what it buys and sells, with stand-ins for Hummingbot's own classes."""

from __future__ import annotations

import runpy
import sys
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from schemas.trade import Action, Effect, Quantity, Unit

SCRIPT = Path(__file__).parents[3] / "examples/hummingbot/scripts/tradingview_directional.py"
BUY, SELL = SimpleNamespace(name="BUY"), SimpleNamespace(name="SELL")


class Fee:
    """As Hummingbot has the fee of a fill: parts of the whole, and amounts."""

    def __init__(self, flat: str, percent: str) -> None:
        self.percent_token: str | None = None
        self.percent = Decimal(percent)
        self.flat_fees = [SimpleNamespace(token="BTC", amount=Decimal(flat))]


class Deducted(Fee):
    """What is taken from what was bought."""


class Strategy:
    """As StrategyV2Base is, as far as the example touches it: it writes orders down."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.orders: list[tuple[str, Decimal]] = []

    def buy(self, _exchange: str, _pair: str, amount: Decimal, _type: object) -> str:
        return self._placed("buy", amount)

    def sell(self, _exchange: str, _pair: str, amount: Decimal, _type: object) -> str:
        return self._placed("sell", amount)

    def _placed(self, side: str, amount: Decimal) -> str:
        self.orders.append((side, amount))
        return f"{side}-{len(self.orders)}"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    events = ("MarketOrderFailureEvent", "OrderCancelledEvent", "OrderFilledEvent", "SellOrderCompletedEvent")
    modules = {
        "hummingbot.core.data_type.common": {
            "MarketDict": dict,
            "OrderType": Enum("OrderType", ["MARKET"]),
        },
        "hummingbot.core.data_type.trade_fee": {"DeductedFromReturnsTradeFee": Deducted},
        "hummingbot.core.event.events": dict.fromkeys(events, object),
        "hummingbot.strategy.strategy_v2_base": {"StrategyV2Base": Strategy, "StrategyV2ConfigBase": object},
        "pydantic": {"Field": lambda **options: options["default"]},
    }
    for name, held in modules.items():
        module = ModuleType(name)
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, name, module)
    made = runpy.run_path(str(SCRIPT))
    return made["TradingViewDirectional"](made["TradingViewDirectionalConfig"]())


def signal(action: Action, value: str | None = None, effect: Effect = Effect.UNKNOWN) -> Any:
    quantity = None if value is None else Quantity(value=Decimal(value), unit=Unit.BASE)
    return SimpleNamespace(body=SimpleNamespace(action=action, effect=effect), quantity=quantity)


def fill(side: Any, amount: str, fee: Fee | None = None) -> Any:
    return SimpleNamespace(trade_type=side, amount=Decimal(amount), trade_fee=fee or Fee("0", "0"))


@pytest.fixture
def placing(script: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Orders of the stand-in, without the companion that the mixin asks what runs."""
    monkeypatch.setattr("bot_plugin.hummingbot.signals.acting_on", lambda: None)
    return script


def test_an_exit_is_not_sold_twice_while_its_first_order_is_not_filled_yet(placing: Any) -> None:
    """TradingView sends two exits at once; the second would sell coins that it never bought."""
    placing.did_fill_order(fill(BUY, "0.01"))
    placing.on_trade(signal(Action.CLOSE))
    with pytest.raises(ValueError, match="is selling it already"):
        placing.on_trade(signal(Action.SELL, "0.01"))
    assert placing.orders == [("sell", Decimal("0.01"))]


def test_an_exit_that_the_market_refused_may_be_sold_again(placing: Any) -> None:
    """What was kept for it is free again, and what was filled is gone."""
    placing.did_fill_order(fill(BUY, "0.01"))
    placing.on_trade(signal(Action.CLOSE))
    placing.did_fill_order(fill(SELL, "0.004"))
    placing.did_cancel_order(SimpleNamespace(order_id="sell-1"))
    placing.on_trade(signal(Action.CLOSE))
    assert placing.orders[-1] == ("sell", Decimal("0.006"))


@pytest.mark.parametrize(
    ("fee", "sold"),
    [(Fee("0.00001", "0"), "0.00999"), (Deducted("0", "0.001"), "0.00999"), (Fee("0", "0.001"), "0.01")],
)
def test_an_exit_leaves_out_what_the_exchange_kept_as_its_fee(placing: Any, fee: Fee, sold: str) -> None:
    """It holds less than it bought; a sell of all that was bought would be refused, and the position would stay."""
    placing.did_fill_order(fill(BUY, "0.01", fee))
    placing.on_trade(signal(Action.CLOSE))
    assert placing.orders == [("sell", Decimal(sold))]


def test_an_exit_of_more_than_an_entry_may_be_is_sold_whole(placing: Any) -> None:
    """Three entries of the most that is allowed are left by one exit."""
    for _ in range(3):
        placing.did_fill_order(fill(BUY, "0.01"))
    placing.on_trade(signal(Action.SELL, "0.03"))
    assert placing.orders == [("sell", Decimal("0.03"))]


def test_an_entry_is_never_more_than_the_most(placing: Any) -> None:
    """Whether the alert or the configuration says how much."""
    placing.on_trade(signal(Action.BUY, "5"))
    placing.config.amount = Decimal(1)
    placing.on_trade(signal(Action.BUY))
    assert placing.orders == [("buy", Decimal("0.01"))] * 2
