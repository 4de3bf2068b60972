"""The reference bot: trades on paper, at prices replayed from a file; takes signals, and answers every command.

SIGNAL_GATEWAY_ENV_FILE=data/bots/demo.env python examples/paper_bot.py
"""

from __future__ import annotations

import csv
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot_plugin import Answer, CommandFailed, RemoteCommands, Signal, SignalListener
from schemas.command import Balance, BalanceLimit, BalancePaper, Config, History, Import, Start, Status, Stop
from schemas.trade import Action, Side, Trade

EXCHANGE, QUOTE = "paper", "USDT"
STRATEGIES = {"follow_signals": {"size": Decimal(1)}, "half_size": {"size": Decimal("0.5")}}
PRICES = Path(__file__).parent / "demo" / "prices.csv"


class Market:
    """A day's prices, minute by minute, gone through at ``speed`` minutes a second since ``start``, a Unix time."""

    def __init__(self, file: Path, *, speed: float, start: float) -> None:
        with file.open() as rows:
            self._minutes = [
                {pair: price for pair, price in row.items() if pair != "minute"} for row in csv.DictReader(rows)
            ]
        self._speed, self._start = speed, start

    def price(self, pair: str) -> Decimal:
        """What a pair costs now."""
        minute = min(int((time.time() - self._start) * self._speed), len(self._minutes) - 1)
        try:
            return Decimal(self._minutes[minute][pair])
        except KeyError:
            raise ValueError(f"there are no prices of {pair} here") from None


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


class PaperBot:
    """Follows the signals while it runs. Everything happens in the listener's loop, so that nothing needs a lock."""

    def __init__(self, market: Market) -> None:
        self.market, self.account = market, Account()
        self.strategy, self.running = "follow_signals", True
        self.settings = dict(STRATEGIES[self.strategy])

    def follow(self, trade: Trade) -> dict[str, Any] | None:
        """Trade to the position that a signal names, else by its quantity; None where nothing is to do."""
        if not self.running:
            raise RuntimeError("the bot is stopped: start it to trade")
        pair = trade.instrument.pair or trade.instrument.name
        held = self.account.held.get(pair.split("-")[0], Decimal(0))
        amount = self._wanted(trade, held) - held
        return self.account.trade(pair, amount, self.market.price(pair)) if amount else None

    def _wanted(self, trade: Trade, held: Decimal) -> Decimal:
        target, size = trade.position, self.settings["size"]
        if trade.action is Action.CLOSE or (target and target.target is Side.FLAT):
            return Decimal(0)
        if target and target.target and target.size is not None:
            return target.size * size * (1 if target.target is Side.LONG else -1)
        if not trade.order or not trade.order.quantity:
            raise ValueError("the signal says neither how much nor which position it is to end in")
        return held + trade.order.quantity.value * size * (1 if trade.action is Action.BUY else -1)

    async def start(self, wanted: Start) -> str:
        if wanted.script not in {None, *STRATEGIES}:
            raise CommandFailed(f"there is no script {wanted.script!r}: {', '.join(STRATEGIES)}")
        if wanted.script:
            self.strategy, self.settings = wanted.script, dict(STRATEGIES[wanted.script])
        self.running = True
        return f"{self.strategy} runs"

    async def stop(self, _: Stop) -> str:
        self.running = False
        return f"{self.strategy} is stopped; positions stay as they are"

    async def import_strategy(self, wanted: Import) -> str:
        if self.running:
            raise CommandFailed(f"{self.strategy} runs: stop it first")
        if wanted.strategy not in STRATEGIES:
            raise CommandFailed(f"there is no configuration {wanted.strategy!r}: {', '.join(STRATEGIES)}")
        self.strategy, self.settings = wanted.strategy, dict(STRATEGIES[wanted.strategy])
        return f"{self.strategy} is imported"

    async def config(self, wanted: Config) -> Answer:
        if unknown := [key for key, _ in wanted.params if key not in self.settings]:
            raise CommandFailed(f"Invalid param key(s): {unknown}")
        try:
            changes = {key: Decimal(str(value)) for key, value in wanted.params}
        except ArithmeticError:
            raise CommandFailed(f"numbers are wanted, not {dict(wanted.params)}") from None
        self.settings |= changes
        return Answer(more={"changes": [list(pair) for pair in changes.items()], "config": self.settings})

    async def status(self, _: Status) -> Answer:
        pnl = self.account.realised + self.account.unrealised(self.market)
        state = "runs" if self.running else "is stopped"
        data = {"running": self.running, "strategy": self.strategy, "trades": len(self.account.trades), "pnl": pnl}
        return Answer(
            msg=f"{self.strategy} {state}; {len(self.account.trades)} trades, PnL {pnl:.2f} {QUOTE}",
            more={"data": data},
        )

    async def history(self, wanted: History) -> list[dict[str, Any]]:
        since = (time.time() - wanted.days * 86_400) * 1000 if wanted.days else 0
        return [trade for trade in self.account.trades if trade["trade_timestamp"] >= since]

    async def balance(self, wanted: Balance) -> dict[str, dict[str, Decimal]]:
        if wanted.exchange not in {None, EXCHANGE}:
            raise CommandFailed(f"there is no exchange {wanted.exchange!r}: only {EXCHANGE}")
        return {EXCHANGE: {asset: held for asset, held in self.account.held.items() if wanted.asset in {None, asset}}}

    async def balance_limit(self, wanted: BalanceLimit) -> dict[str, dict[str, Decimal]]:
        if wanted.exchange != EXCHANGE:
            raise CommandFailed(f"there is no exchange {wanted.exchange!r}: only {EXCHANGE}")
        self.account.limits.pop(wanted.asset, None)
        if wanted.amount >= 0:
            self.account.limits[wanted.asset] = wanted.amount
        return {EXCHANGE: self.account.limits}

    async def balance_paper(self, wanted: BalancePaper) -> dict[str, Decimal]:
        self.account.held[wanted.asset] = wanted.amount
        return self.account.held

    def performance(self) -> Mapping[str, Any]:
        """As Hummingbot's controllers tell it."""
        won, open_ = self.account.realised, self.account.unrealised(self.market)
        volume = sum(Decimal(trade["price"]) * Decimal(trade["quantity"]) for trade in self.account.trades)
        told = {
            "realized_pnl_quote": won,
            "unrealized_pnl_quote": open_,
            "global_pnl_quote": won + open_,
            "volume_traded": volume,
        }
        return {self.strategy: {"performance": told, "custom_info": {}}}


def main() -> None:
    start, speed = os.environ.get("PAPER_START"), os.environ.get("PAPER_SPEED", "16")
    bot = PaperBot(Market(PRICES, speed=float(speed), start=float(start or time.time())))
    listener, commands = SignalListener.from_env(), RemoteCommands(bot)
    telemetry = listener.telemetry

    @listener.on_trade("*")
    async def follow(signal: Signal) -> None:
        if trade := bot.follow(signal.body):
            telemetry.event("OrderFilled", trade)
            telemetry.notify(f"{trade['trade_type']} {trade['quantity']} {trade['symbol']} at {trade['price']}")

    @commands.handles("flatten")
    async def flatten(_: Mapping[str, Any]) -> str:
        held = {pair: bot.account.held.get(pair.split("-")[0], Decimal(0)) for pair in bot.account.entry}
        for pair, amount in held.items():
            if amount:
                bot.account.trade(pair, -amount, bot.market.price(pair))
        return f"{sum(map(bool, held.values()))} positions are closed"

    listener.serve(commands)
    telemetry.performance_every(1.0, bot.performance)
    logging.getLogger().addHandler(telemetry.log_handler())
    logging.getLogger().setLevel(logging.INFO)
    print(f"bot {listener.settings.bot} trades on paper", flush=True)
    listener.main()


if __name__ == "__main__":
    main()
