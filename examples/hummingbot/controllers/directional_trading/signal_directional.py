"""Hummingbot's directional controller, driven by signals: its sizes, barriers, cooldown and limits, without candles.

Copy it into Hummingbot's controllers/directional_trading/, and conf/controllers/signal_directional.yml into its
conf/controllers/; then start scripts/v2_with_controllers.py, or scripts/signal_controllers.py of these examples.
"""

from __future__ import annotations

import pandas as pd
from hummingbot.strategy_v2.controllers.directional_trading_controller_base import (
    DirectionalTradingControllerBase,
    DirectionalTradingControllerConfigBase,
)
from hummingbot.strategy_v2.models.executor_actions import StopExecutorAction

from bot_plugin import Signal
from bot_plugin.hummingbot import SignalMixin
from schemas.trade import Action, Effect


class SignalDirectionalConfig(DirectionalTradingControllerConfigBase):
    controller_name: str = "signal_directional"
    source: str = "tradingview"
    kind: str | None = None  # perpetual, for alerts that say BTCUSDT.P


class SignalDirectional(SignalMixin, DirectionalTradingControllerBase):
    """An entry opens a position executor as the configuration says; an exit stops those that are open."""

    @property
    def signals(self) -> dict[str, str | None]:
        return {"source": self.config.source, "pair": self.config.trading_pair, "kind": self.config.kind}

    async def on_trade(self, signal: Signal) -> None:
        trade = signal.body
        if trade.action is Action.CANCEL:
            raise ValueError("it enters at the market: there is nothing to cancel")
        if trade.action is Action.CLOSE or trade.effect is Effect.REDUCE:
            await self.leave(signal)
        else:
            await self.enter(signal, direction=1 if trade.action is Action.BUY else -1)

    async def enter(self, signal: Signal, *, direction: int) -> None:
        """Let the base class decide whether and how, now and once: the signal does not stay in force."""
        self.processed_data = {"signal": direction, "features": pd.DataFrame()}
        try:
            actions = self.create_actions_proposal()
        finally:
            self.processed_data["signal"] = 0
        if not actions:
            raise RuntimeError("not entered: the cooldown is not over, or max_executors_per_side are open")
        self.execute(signal, actions)

    async def leave(self, signal: Signal) -> None:
        """Stop what is open; executors close their positions at the market."""
        stops = [
            StopExecutorAction(controller_id=self.config.id, executor_id=executor.id)
            for executor in self.executors_info
            if executor.is_active
        ]
        if not stops:
            raise RuntimeError("nothing is open that could be left")
        self.execute(signal, stops)
