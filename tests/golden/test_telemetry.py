"""A bot's telemetry on the wire, byte for byte: what each call of the plugin writes, and that it is read as that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import PluginSettings, SignalListener
from bot_plugin.telemetry import Telemetry
from bot_plugin.testing import running
from schemas.telemetry import Heartbeat, InternalEvent, LogLine, Notification, Performance, StatusUpdate, read, write
from schemas.topics import TELEMETRY, Topics
from tests.brokers import eventually

FOLDER = Path(__file__).parent / "v1" / "telemetry"
AT = 1_795_342_501_123_456


class OrderType(Enum):
    LIMIT = 2


FILLED = {
    "timestamp": 1_795_342_500.9,
    "trading_pair": "BTC-USDT",
    "order_id": "HBOT-1",
    "order_type": OrderType.LIMIT,
    "price": Decimal("61234.5"),
    "amount": Decimal("0.010"),
    "leverage": 1,
    "position": "NIL",
    "trade_fee": {"percent": Decimal("0.001"), "flat_fees": [{"token": "USDT", "amount": Decimal(0)}]},
    "exchange_trade_id": None,
}
PNL = {
    "pmm_1": {
        "performance": {"net_pnl_quote": Decimal("-1.25"), "volume_traded": 1000.5, "win_rate": Decimal("NaN")},
        "custom_info": {"state": "a/b ü"},
    },
    "stopped": {},
}
RECORD = {
    "name": "strategy.mine",
    "levelno": logging.WARNING,
    "levelname": "WARNING",
    "msg": 'order "%s" is late\nby a second',
    "args": ("x-1",),
    "created": AT / 1_000_000,
}

TOLD: dict[str, Callable[[Telemetry], Any]] = {
    "events": lambda telemetry: telemetry.event("OrderFilled", FILLED),
    "notify": lambda telemetry: telemetry.notify("bought 0.01 BTC\nfür 612 €"),
    "log": lambda telemetry: telemetry.log_handler().handle(logging.makeLogRecord(RECORD)),
    "performance": lambda telemetry: telemetry.performance(PNL),
}
READ = {
    "hb": Heartbeat(at=AT),
    "status_updates": StatusUpdate(msg="online", at=AT // 1000 * 1000),
    "events": InternalEvent(
        type="OrderFilled",
        at=AT // 1_000_000 * 1_000_000 - 1_000_000,
        data={
            "trading_pair": "BTC-USDT",
            "order_id": "HBOT-1",
            "order_type": "OrderType.LIMIT",
            "price": 61234.5,
            "amount": 0.01,
            "leverage": 1,
            "position": "NIL",
            "trade_fee": {"percent": 0.001, "flat_fees": [{"token": "USDT", "amount": 0.0}]},
            "exchange_trade_id": None,
        },
    ),
    "notify": Notification(msg="bought 0.01 BTC\nfür 612 €", at=AT // 1000 * 1000),
    "log": LogLine(
        msg='order "x-1" is late\nby a second', level=30, level_name="WARNING", logger="strategy.mine", at=AT
    ),
    "performance": Performance(
        controllers={
            "pmm_1": {
                "performance": {"net_pnl_quote": -1.25, "volume_traded": 1000.5, "win_rate": None},
                "custom_info": {"state": "a/b ü"},
            },
            "stopped": {},
        }
    ),
}


def golden(channel: str) -> bytes:
    return (FOLDER / f"{channel}.json").read_bytes()


def test_each_channel_has_its_bytes() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(TELEMETRY) == set(READ)


async def test_a_bot_writes_exactly_these_bytes() -> None:
    listener = SignalListener(PluginSettings(bot="demo", grace=0.05), now=lambda: AT)
    for tell in TOLD.values():
        tell(listener.telemetry)
    async with running(listener) as rig:

        def written() -> dict[str, bytes]:
            found = [(message.topic, message.payload) for message in rig.broker.published]
            topics = {Topics().telemetry("demo", channel): channel for channel in TELEMETRY}
            return {topics[topic]: payload for topic, payload in found if topic in topics}

        await eventually(lambda: written().keys() == set(TELEMETRY))
        now = written()

    assert now == {channel: golden(channel) for channel in TELEMETRY}


@pytest.mark.parametrize("channel", TELEMETRY)
def test_these_bytes_are_read_as_exactly_this_and_written_again(channel: str) -> None:
    assert read(channel, golden(channel)) == READ[channel]
    assert write(READ[channel]) == golden(channel)
