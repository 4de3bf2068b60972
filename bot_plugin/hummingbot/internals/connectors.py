"""What a connector tells of itself: whether it is ready, and what for it waits; its pairs and balances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bot_plugin.hummingbot.internals.fit import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """How much of an asset is there.

    Args:
        total: all of it.
        available: what no order holds, and no limit keeps back.
    """

    total: Decimal
    available: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How a connector does.

    Args:
        ready: whether it can trade.
        missing: what it waits for; empty where it is ready, or does not say.
        connected: whether its network is there.
        pairs: that it trades.
        balances: by asset, without those of which there is nothing.
        positions: those that are open, of a connector that has them.
    """

    ready: bool
    missing: tuple[str, ...]
    connected: bool
    pairs: tuple[str, ...]
    balances: Mapping[str, Holding]
    positions: tuple[Mapping[str, Any], ...]


def read(connector: Any) -> Connection:
    """How a connector does now; nobody is asked over the network."""
    status = getattr(connector, "status_dict", None) or {}
    return Connection(
        ready=is_ready(connector),
        missing=tuple(name for name, fine in status.items() if not fine),
        connected=getattr(getattr(connector, "network_status", None), "name", "") == "CONNECTED",
        pairs=tuple(map(str, getattr(connector, "trading_pairs", None) or ())),
        balances=balances(connector),
        positions=tuple(_positions(connector)),
    )


def is_ready(connector: Any) -> bool:
    """Whether a connector can trade."""
    return bool(require(connector, "ready"))


def balances(connector: Any) -> dict[str, Holding]:
    """What a connector holds, by asset, without those of which there is nothing."""
    totals = require(connector, "get_all_balances")()
    available = require(connector, "get_available_balance")
    return {
        asset: Holding(total=Decimal(total), available=Decimal(available(asset)))
        for asset, total in sorted(totals.items())
        if total
    }


def _positions(connector: Any) -> Iterator[dict[str, Any]]:
    for position in (getattr(connector, "account_positions", None) or {}).values():
        told = {name: getattr(position, name) for name in ("entry_price", "amount", "leverage", "unrealized_pnl")}
        yield {"pair": str(position.trading_pair), "side": position.position_side.name.lower(), **told}
