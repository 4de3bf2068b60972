"""A bot's telemetry: Hummingbot's bytes are written and read, and nothing a bot says raises but by name."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError
from schemas.telemetry import (
    Heartbeat,
    InternalEvent,
    LogLine,
    Notification,
    Performance,
    StatusUpdate,
    Telemetry,
    read,
    write,
)
from schemas.topics import TELEMETRY

AT = 1_786_000_000_000_000

STOCK: list[tuple[str, bytes, Telemetry]] = [
    ("hb", b'{"ts":1786000000500000}', Heartbeat(at=AT + 500_000)),
    (
        "status_updates",
        b'{"timestamp":1786000000000,"type":"availability","msg":"online"}',
        StatusUpdate(msg="online", at=AT),
    ),
    (
        "events",
        b'{"timestamp":1786000000,"type":"BuyOrderCreated","data":{"amount":0.01,"position":"NIL"}}',
        InternalEvent(type="BuyOrderCreated", data={"amount": 0.01, "position": "NIL"}, at=AT),
    ),
    ("notify", b'{"seq":0,"timestamp":"-1","msg":"\\nWinding down..."}', Notification(msg="\nWinding down...")),
    (
        "log",
        b'{"timestamp":1786000000.123,"msg":"a/b","level_no":20,"level_name":"INFO","logger_name":"hummingbot.x"}',
        LogLine(msg="a/b", logger="hummingbot.x", at=AT + 123_000),
    ),
    (
        "performance",
        b'{"one":{"performance":{"net_pnl":1.5},"custom_info":{}},"two":{}}',
        Performance(controllers={"one": {"performance": {"net_pnl": 1.5}, "custom_info": {}}, "two": {}}),
    ),
]


@pytest.mark.parametrize(("channel", "payload", "telemetry"), STOCK)
def test_what_hummingbot_writes_is_read_and_written_alike(channel: str, payload: bytes, telemetry: Telemetry) -> None:
    assert read(channel, payload) == telemetry
    assert write(telemetry) == payload


def test_every_channel_of_the_tree_can_be_read() -> None:
    assert {channel for channel, _, _ in STOCK} == set(TELEMETRY)


def test_a_notification_of_ours_has_a_time() -> None:
    written = write(Notification(msg="filled", at=AT))

    assert json.loads(written) == {"seq": 0, "timestamp": "1786000000000", "msg": "filled"}
    assert read("notify", written) == Notification(msg="filled", at=AT)


@pytest.mark.parametrize("unknown", ["NaN", "Infinity", "-Infinity"])
def test_a_price_that_a_stock_bot_does_not_know_is_null(unknown: str) -> None:
    """It writes so of each market order; the rest of the event is read as ever."""
    payload = f'{{"timestamp":1786000000,"type":"BuyOrderCreated","data":{{"price":{unknown},"amount":0.01}}}}'

    assert read("events", payload.encode()) == InternalEvent(
        type="BuyOrderCreated", data={"price": None, "amount": 0.01}, at=AT
    )


@pytest.mark.parametrize("ts", [1_786_000_000_000_000_000, "1786000000", 1_786_000_000_000])
def test_a_heartbeat_in_another_unit_is_the_same(ts: Any) -> None:
    assert read("hb", json.dumps({"ts": ts}).encode()) == Heartbeat(at=AT)


def test_offline_is_what_availability_says() -> None:
    assert StatusUpdate(msg="offline").offline
    assert not StatusUpdate(msg="online").offline
    assert not StatusUpdate(msg="offline", type="other").offline


@pytest.mark.parametrize(
    ("channel", "payload"),
    [("hb", b""), ("hb", b"[]"), ("log", b"{}"), ("notify", b'{"msg":1}'), ("events", b'{"type":1}'), ("stop", b"{}")],
)
def test_what_is_no_telemetry_is_refused(channel: str, payload: bytes) -> None:
    with pytest.raises(ContractError):
        read(channel, payload)


@given(st.sampled_from(TELEMETRY), st.binary() | st.from_regex(rb'\{"(ts|timestamp|msg|type|data)":.{0,9}\}'))
def test_any_bytes_are_read_or_refused_in_peace(channel: str, payload: bytes) -> None:
    with suppress(ContractError):
        read(channel, payload)
