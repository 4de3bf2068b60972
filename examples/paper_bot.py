"""The reference bot: trades on paper, at prices replayed from a file; takes signals, and answers every command.

SIGNAL_GATEWAY_ENV_FILE=data/bots/demo.env python examples/paper_bot.py
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from paper_account import EXCHANGE, QUOTE, Account, Market

from bot_plugin import Answer, CommandFailed, RemoteCommands, Signal, SignalListener, run_program
from schemas.command import Balance, BalanceLimit, BalancePaper, Config, History, Import, Start, Status, Stop
from schemas.trade import Action, Effect, Side, Trade, Unit

log = logging.getLogger("paper_bot")

STRATEGIES = {"follow_signals": {"size": Decimal(1)}, "half_size": {"size": Decimal("0.5")}}
PRICES = Path(__file__).parent / "demo" / "prices.csv"


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
        pair = str(trade.instrument.pair)
        held = self.account.held.get(pair.split("-", maxsplit=1)[0], Decimal(0))
        amount = self._wanted(trade, held) - held
        return self.account.trade(pair, amount, self.market.price(pair)) if amount else None

    def _wanted(self, trade: Trade, held: Decimal) -> Decimal:
        target, size = trade.position, self.settings["size"]
        if trade.action is Action.CANCEL:
            return held  # an order on paper is filled at once
        if trade.action is Action.CLOSE or (target and target.target is Side.FLAT):
            return Decimal(0)
        if target and target.target and target.size is not None:
            return target.size * size * (1 if target.target is Side.LONG else -1)
        quantity = trade.order.quantity if trade.order else None
        if quantity is None or quantity.unit not in {Unit.BASE, Unit.CONTRACTS}:
            raise ValueError("the signal says neither how much of the base asset nor in which position it is to end")
        wanted = held + quantity.value * size * (1 if trade.action is Action.BUY else -1)
        return Decimal(0) if trade.effect is Effect.REDUCE and wanted * held <= 0 else wanted

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

    async def follow(signal: Signal) -> None:
        if trade := bot.follow(signal.body):
            filled = f"{trade['trade_type']} {trade['quantity']} {trade['symbol']} at {trade['price']}"
            log.info("%s for signal %s", filled, signal.id)
            telemetry.event("OrderFilled", trade)
            telemetry.notify(filled)

    for pair in bot.market.pairs:  # a pair alone never selects a derivative
        listener.on_trade("*", pair=pair, name=f"follow {pair}")(follow)

    @commands.handles("flatten")
    async def flatten(_: Mapping[str, Any]) -> str:
        held = {pair: bot.account.held.get(pair.split("-")[0], Decimal(0)) for pair in bot.account.entry}
        for pair, amount in held.items():
            if amount:
                bot.account.trade(pair, -amount, bot.market.price(pair))
        return f"closed: {', '.join(pair for pair, amount in held.items() if amount) or 'nothing was open'}"

    listener.serve(commands)
    telemetry.performance_every(1.0, bot.performance)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger().addHandler(telemetry.log_handler())
    log.info("bot %s trades on paper", listener.settings.bot)
    listener.main()


if __name__ == "__main__":
    run_program(main)
