"""What was traded, from Hummingbot's own database, and what came of it by its own reckoning."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot_plugin.hummingbot.internals.fit import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a strategy's trades are filed under.

    Args:
        file: the configuration's.
        database: where they are.
    """

    file: str
    database: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fills:
    """Trades.

    Args:
        count: how many there are.
        spelled: the latest, each as Hummingbot's own history spells it.
        more: the same with what that leaves out: order, type, position, leverage.
        by_market: Hummingbot's own records of them, by exchange and pair.
    """

    count: int
    spelled: Sequence[Mapping[str, Any]]
    more: Sequence[Mapping[str, Any]]
    by_market: Mapping[tuple[str, str], list[Any]]


def latest_run(application: Any) -> Run | None:
    """The run whose trades are asked for: the one that is on, else the last one; None before the first."""
    from hummingbot.connector.markets_recorder import MarketsRecorder  # noqa: PLC0415

    core = require(application, "trading_core")
    database = require(core, "trade_fill_db")
    recorder = require(core, "markets_recorder") or require(MarketsRecorder, "_shared_instance")  # of the last run
    if database is None or recorder is None:
        return None
    return Run(file=str(require(recorder, "_config_file_path")), database=database)


def started(application: Any) -> float:
    """When the application was started: seconds since the epoch."""
    return float(require(application, "init_time"))


async def fills(application: Any, run: Run, *, since: float, most: int) -> Fills:
    """The trades of a run; the database is read beside the loop.

    Args:
        application: the running one.
        run: whose trades.
        since: seconds since the epoch.
        most: how many are spelled.
    """
    query = require(application, "_get_trades_from_session")
    return await asyncio.to_thread(_read, query, run, int(since * 1000), most)


def _read(query: Any, run: Run, since: int, most: int) -> Fills:
    from hummingbot.model.trade_fill import TradeFill  # noqa: PLC0415

    spell = require(TradeFill, "to_bounty_api_json")
    with require(run.database, "get_new_session")() as session:
        found = query(since, session=session, config_file_path=run.file)
        by_market: dict[tuple[str, str], list[Any]] = {}
        for fill in found:
            by_market.setdefault((str(fill.market), str(fill.symbol)), []).append(fill)
        session.expunge_all()  # Hummingbot's reckoning changes them
        latest = found[-most:]
        return Fills(
            count=len(found),
            spelled=[spell(fill) for fill in latest],
            more=[_more(fill) for fill in latest],
            by_market=by_market,
        )


def _more(fill: Any) -> dict[str, Any]:
    names = ("order_id", "order_type", "position", "leverage", "strategy", "trade_fee_in_quote")
    return {"trade_id": fill.exchange_trade_id, **{name: getattr(fill, name) for name in names}}


async def reckon(pair: str, found: list[Any], balances: Mapping[str, Decimal]) -> Any:
    """What came of a pair's trades, by Hummingbot's own reckoning, beside the loop: of thousands it takes its time.

    Args:
        pair: such as ``BTC-USDT``.
        found: its trades, the oldest first; at least one.
        balances: what the exchange holds now, by asset; empty where that is not known.
    """
    return await asyncio.to_thread(_reckon, pair, found, dict(balances))


def _reckon(pair: str, found: list[Any], balances: dict[str, Decimal]) -> Any:
    """Reckon without ever asking the network for a price."""
    from hummingbot.client.performance import PerformanceMetrics  # noqa: PLC0415
    from hummingbot.core.rate_oracle.rate_oracle import RateOracle  # noqa: PLC0415

    oracle = require(RateOracle, "get_instance")()
    prices: dict[str, Decimal] = require(oracle, "_prices")
    lent: Decimal | None = None
    if not prices:  # the oracle would ask its source, which takes long or fails; with one price it takes what is there
        lent = prices[pair] = require(oracle, "get_pair_rate")(pair) or Decimal(str(found[-1].price))
    try:
        return asyncio.run(require(PerformanceMetrics, "create")(pair, found, balances))
    finally:
        if lent is not None and prices.get(pair) is lent:
            del prices[pair]


def rounded(value: Decimal, precision: int | None) -> Decimal:
    """A figure with so many decimals as Hummingbot rounds it; as it is where None."""
    if precision is None:
        return value
    from hummingbot.client.performance import PerformanceMetrics  # noqa: PLC0415

    found: Decimal = require(PerformanceMetrics, "smart_round")(value, precision)
    return found
