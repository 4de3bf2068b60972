"""``history``: the trades as Hummingbot's own history spells them, and what came of them, pair by pair."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from bot_plugin.commands import Answer
from bot_plugin.hummingbot.internals import connectors, history
from bot_plugin.hummingbot.internals.trading import Trading
from bot_plugin.hummingbot.terms.figures import instant, plain
from schemas.command import History

_DAY = 86_400.0
_MOST = 400
"""Trades that are listed: more do not fit a reply."""
_COUNTS = ("num_trades", "num_buys", "num_sells")
_FIGURES = (
    "b_vol_base", "s_vol_base", "tot_vol_base", "b_vol_quote", "s_vol_quote", "tot_vol_quote", "avg_b_price",
    "avg_s_price", "avg_tot_price", "start_price", "cur_price", "hold_value", "cur_value", "trade_pnl", "fee_in_quote",
    "total_pnl",
)  # fmt: skip
_PORTFOLIO = ("hold_value", "cur_value", "return_pct")
"""What cannot be told without the balances."""


class Trades:
    """Tells the trades of the strategy that runs, or ran last.

    Args:
        application: the running one.
        trading: its core.
    """

    def __init__(self, application: Any, trading: Trading) -> None:
        self._application, self._trading = application, trading

    async def tell(self, wanted: History) -> Answer:
        """Tell them since so many days; since the application was started where none are named, as Hummingbot does."""
        run = history.latest_run(self._application)
        since = time.time() - wanted.days * _DAY if wanted.days else history.started(self._application)
        if run is None:
            data: dict[str, Any] = {"conf": None, "since": instant(since), "markets": []}
            return Answer(msg="nothing has run since Hummingbot was started", more={"trades": [], "data": data})
        found = await history.fills(self._application, run, since=since, most=_MOST)
        markets = [
            await self._market(exchange, pair, fills, wanted.precision)
            for (exchange, pair), fills in found.by_market.items()
        ]
        data = {"conf": run.file, "since": instant(since), "markets": markets}
        if wanted.verbose:
            data["fills"] = plain(found.more)
        trades, words = plain(found.spelled), _counted(found.count, run.file)
        return Answer(msg=f"{words}{_total(markets)}", more={"trades": trades, "data": data})

    async def _market(self, exchange: str, pair: str, fills: list[Any], precision: int | None) -> dict[str, Any]:
        connector = self._trading.connectors.get(exchange)
        known = connector is not None and connectors.is_ready(connector)
        held = {asset: each.total for asset, each in connectors.balances(connector).items()} if known else {}
        reckoned = await history.reckon(pair, fills, held)
        figures = {name: history.rounded(getattr(reckoned, name), precision) for name in _FIGURES}
        fees = {token: history.rounded(Decimal(amount), precision) for token, amount in reckoned.fees.items()}
        told = {name: getattr(reckoned, name) for name in _COUNTS} | figures
        told |= {"return_pct": reckoned.return_pct, "fees": fees}
        if not known:
            told |= dict.fromkeys(_PORTFOLIO)
        return {"market": exchange, "trading_pair": pair, **plain(told)}


def _counted(count: int, file: str) -> str:
    latest = f", of which the latest {_MOST} are listed" if count > _MOST else ""
    return f"{count} trade{'' if count == 1 else 's'} of {file}{latest}"


def _total(markets: list[dict[str, Any]]) -> str:
    told = ", ".join(f"{each['total_pnl']:f} {each['trading_pair'].rsplit('-', 1)[-1]}" for each in markets)
    return f"; PnL {told}" if told else ""
