"""The alerts of a run: number n is always the same alert."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

SOURCES = tuple(f"source-{number}" for number in range(5))
PERISHABLE = SOURCES[3:]
"""Sources whose signals expire while a bot is away for long."""

BOTS = ("bot-a", "bot-b")
"""Who must handle each signal."""

BASES = ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "LINK", "AVAX", "DOT")


def sources() -> dict[str, Any]:
    """Their settings."""
    lives = dict(zip(PERISHABLE, ("20s", "30s"), strict=True))
    return {source: {"ttl": {"open": lives.get(source, "10m")}, "bots": list(BOTS)} for source in SOURCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: its source, the partition key that it must get, and its body."""

    number: int
    source: str
    key: str
    body: bytes


def alert(number: int) -> Alert:
    """Sources first, then instruments: 50 keys in turn. There is no time in it, so that a late repeat is not stale."""
    source = SOURCES[number % len(SOURCES)]
    base = BASES[number // len(SOURCES) % len(BASES)]
    body = {
        "ticker": f"{base}USDT",
        "exchange": "BINANCE",
        "action": "buy",
        "contracts": f"0.{number + 1:07d}",
        "price": 27123.45,
        "market_position": "long",
        "prev_market_position": "flat",
        "order_id": f"entry {number}",
    }
    return Alert(number=number, source=source, key=f"{source}/{base}-USDT", body=json.dumps(body).encode())
