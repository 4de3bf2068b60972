"""What a strategy earned by its fills: positions at their average price, per market and pair. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)

Place = tuple[str, str]
"""A market and a pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A part of an order that was filled.

    Args:
        market: the exchange.
        pair: ``BTC-USDT``.
        amount: of the base asset; below 0 where it was sold.
        price: in the quote asset.
        fee: in the quote asset; None where it is not known.
    """

    market: str
    pair: str
    amount: Decimal
    price: Decimal
    fee: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What the fills of one pair come to, in its quote asset.

    Args:
        amount: of the base asset that was bought and not sold again; below 0 where more was sold.
        entry: the average price of that amount.
        realized: earned by what was closed, before fees.
        fees: paid, as far as they are known.
        all_fees: whether all are known.
        volume: bought and sold.
    """

    amount: Decimal = ZERO
    entry: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    all_fees: bool = True
    volume: Decimal = ZERO
    trades: int = 0

    def after(self, trade: Trade) -> Position:
        """The position after a trade."""
        amount = self.amount + trade.amount
        return replace(
            self,
            amount=amount,
            entry=self._entry_after(trade, amount),
            realized=self.realized + (trade.price - self.entry) * self._closed_by(trade),
            fees=self.fees + (trade.fee or ZERO),
            all_fees=self.all_fees and trade.fee is not None,
            volume=self.volume + abs(trade.amount) * trade.price,
            trades=self.trades + 1,
        )

    def _closed_by(self, trade: Trade) -> Decimal:
        """What of the position a trade closes, with the position's sign."""
        if self.amount * trade.amount >= 0:
            return ZERO
        size = min(abs(self.amount), abs(trade.amount))
        return size if self.amount > 0 else -size

    def _entry_after(self, trade: Trade, amount: Decimal) -> Decimal:
        if self.amount * trade.amount >= 0:
            return (self.entry * self.amount + trade.price * trade.amount) / amount if amount else self.entry
        if amount == 0:
            return ZERO
        return self.entry if amount * self.amount > 0 else trade.price


class Tally:
    """The positions of a strategy since it was started."""

    def __init__(self) -> None:
        self._positions: dict[Place, Position] = {}

    def add(self, trade: Trade) -> None:
        """Count a trade."""
        place = trade.market, trade.pair
        self._positions[place] = self._positions.get(place, Position()).after(trade)

    @property
    def positions(self) -> Mapping[Place, Position]:
        """By market and pair."""
        return self._positions

    def report(self, price: Callable[[str, str], Decimal | None]) -> dict[str, Any]:
        """The figures of each pair, and of all where they have one quote asset; what is not known is left out.

        Args:
            price: what a pair is worth on a market now, in its quote asset.
        """
        pairs = [_pair(place, position, price(*place)) for place, position in self._positions.items()]
        quotes = {one["quote"] for one in pairs}
        total = _total(pairs) if len(quotes) <= 1 else {}
        return {**total, **({"quote": quotes.pop()} if len(quotes) == 1 else {}), "pairs": pairs}


def _pair(place: Place, position: Position, price: Decimal | None) -> dict[str, Any]:
    market, pair = place
    known: dict[str, Decimal | None] = {
        "fees_quote": position.fees if position.all_fees else None,
        "realized_pnl_quote": position.realized - position.fees if position.all_fees else None,
        "unrealized_pnl_quote": ZERO if not position.amount else _unrealized(position, price),
    }
    told = {
        "market": market,
        "trading_pair": pair,
        "quote": pair.rpartition("-")[2],
        "trades": position.trades,
        "volume_traded": position.volume,
        "amount": position.amount,
        **({"breakeven_price": position.entry} if position.amount else {}),
        **{name: value for name, value in known.items() if value is not None},
    }
    return told | _global([told])


def _unrealized(position: Position, price: Decimal | None) -> Decimal | None:
    return None if price is None else (price - position.entry) * position.amount


def _total(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    sums = ("realized_pnl_quote", "unrealized_pnl_quote", "fees_quote", "volume_traded", "trades")
    told = {name: sum(pair[name] for pair in pairs) for name in sums if all(name in pair for pair in pairs)}
    return told | _global(pairs)


def _global(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Realized and unrealized together, also in percent of the volume, as Hummingbot's controllers have it."""
    pairs = list(pairs)
    if not all("realized_pnl_quote" in pair and "unrealized_pnl_quote" in pair for pair in pairs):
        return {}
    together: Decimal = sum((pair["realized_pnl_quote"] + pair["unrealized_pnl_quote"] for pair in pairs), ZERO)
    volume: Decimal = sum((pair["volume_traded"] for pair in pairs), ZERO)
    return {"global_pnl_quote": together, "global_pnl_pct": together / volume * 100 if volume else ZERO}
