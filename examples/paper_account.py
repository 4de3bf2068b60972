"""The paper that the reference bot trades on: prices replayed from a file, and an account."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

EXCHANGE, QUOTE = "paper", "USDT"


class Market:
    """A day's prices, minute by minute, gone through at ``speed`` minutes a second since ``start``, a Unix time."""

    def __init__(self, file: Path, *, speed: float, start: float) -> None:
        with file.open() as rows:
            self._minutes = [
                {pair: price for pair, price in row.items() if pair != "minute"} for row in csv.DictReader(rows)
            ]
        self._speed, self._start = speed, start

    @property
    def pairs(self) -> list[str]:
        """What can be traded."""
        return [column for column in self._minutes[0] if column != "minute"]

    def price(self, pair: str) -> Decimal:
        """What a pair costs now."""
        minute = min(int((time.time() - self._start) * self._speed), len(self._minutes) - 1)
        return Decimal(self._minutes[minute][pair])


@dataclass
class Account:
    """What is held, what it cost, and what was traded. Amounts below zero are a short position."""

    held: dict[str, Decimal] = field(default_factory=lambda: {QUOTE: Decimal(100_000)})
    limits: dict[str, Decimal] = field(default_factory=dict)
    entry: dict[str, Decimal] = field(default_factory=dict)
    realised: Decimal = Decimal(0)
    trades: list[dict[str, Any]] = field(default_factory=list)

    def trade(self, pair: str, amount: Decimal, price: Decimal) -> dict[str, Any]:
        """Buy an amount, or sell where it is negative."""
        base, quote = pair.split("-")
        before = self.held.get(base, Decimal(0))
        if abs(before + amount) > self.limits.get(base, abs(before + amount)):
            raise ValueError(f"{abs(before + amount)} {base} is more than the limit of {self.limits[base]}")
        reduced = min(abs(amount), abs(before)) if before * amount < 0 else Decimal(0)
        self.realised += reduced * (price - self.entry.get(pair, price)) * (1 if before > 0 else -1)
        after = self.held[base] = before + amount
        self.held[quote] = self.held.get(quote, Decimal(0)) - amount * price
        if before * after <= 0:
            self.entry[pair] = price
        elif abs(after) > abs(before):
            self.entry[pair] = (self.entry.get(pair, price) * before + price * amount) / after
        self.trades.append(
            {
                "market": EXCHANGE,
                "trade_id": f"paper-{len(self.trades) + 1}",
                "symbol": pair,
                "price": str(price),
                "quantity": str(abs(amount)),
                "trade_type": "BUY" if amount > 0 else "SELL",
                "trade_timestamp": int(time.time() * 1000),
                "base_asset": base,
                "quote_asset": quote,
                "raw_json": {},
            }
        )
        return self.trades[-1]

    def unrealised(self, market: Market) -> Decimal:
        """What would be won if all were closed now."""
        open_ = {pair: self.held.get(pair.split("-")[0], Decimal(0)) for pair in self.entry}
        return sum((held * (market.price(pair) - self.entry[pair]) for pair, held in open_.items() if held), Decimal(0))
