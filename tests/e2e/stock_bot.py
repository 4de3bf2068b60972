"""A bot that answers commands as the bridge of a stock Hummingbot does, byte by byte, and writes down each request.

It has no memory of ids and no plugin. ``SILENT`` names commands that it never answers, with commas.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import gmqtt

from bot_plugin.settings_files import read_env_file

COMMANDS = ("start", "stop", "config", "import", "status", "history", "balance/limit", "balance/paper")
TRADE = {
    "market": "binance",
    "trade_id": "7",
    "price": "65000.0",
    "quantity": "0.01",
    "symbol": "BTC-USDT",
    "trade_timestamp": 1786000000000,
    "trade_type": "BUY",
    "base_asset": "BTC",
    "quote_asset": "USDT",
    "raw_json": {"trade_fee": {"fee_type": "AddedToCost", "percent": "0.001"}},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "start": {"status": 400, "msg": "Strategy check: Please import or create a strategy."},
    "stop": {"status": 200, "msg": ""},
    "config": {"changes": [], "config": {}, "status": 400, "msg": "'NoneType' object has no attribute 'clear_input'"},
    "import": {"status": 400, "msg": "'NoneType' object has no attribute 'clear_input'"},
    "status": {"status": 400, "msg": "'HummingbotApplication' object has no attribute 'strategy'", "data": ""},
    "history": {"status": 200, "msg": "", "trades": [TRADE]},
    "balance/limit": {"status": 200, "msg": "", "data": None},
    "balance/paper": {"status": 200, "msg": "", "data": None},
}
SILENT = os.environ.get("SILENT", "").split(",")


def ujson(document: Any) -> bytes:
    """As ujson spells it: compact, and every slash escaped."""
    return json.dumps(document, separators=(",", ":")).replace("/", "\\/").encode()


def reply(command: str) -> bytes:
    """What the bridge answers."""
    now = int(time.time() * 1000)
    header = {"reply_to": "", "timestamp": now, "content_type": "json", "encoding": "utf8", "agent": "commlib"}
    return ujson({"header": header, "data": ANSWERS[command]})


async def main() -> None:
    login = read_env_file(Path(os.environ["SIGNAL_GATEWAY_ENV_FILE"]))
    name = login["SIGNAL_GATEWAY_BOT"]
    record = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115  for as long as the process lives
    client = gmqtt.Client(f"hbot.{name}", clean_session=True)
    client.set_auth_credentials(login["SIGNAL_GATEWAY_MQTT_USERNAME"], login["SIGNAL_GATEWAY_MQTT_PASSWORD"])
    subscribed = asyncio.Event()

    def receive(_: gmqtt.Client, topic: str, payload: bytes, *__: Any) -> int:
        command = topic.removeprefix(f"hbot/{name}/")
        document = json.loads(payload)
        record.write(json.dumps({"command": command, "request": document}) + "\n")
        reply_to = document.get("header", {}).get("reply_to")
        if reply_to and command not in SILENT:
            client.publish(reply_to, reply(command), qos=1)
        return 0

    def connect(connected: gmqtt.Client, *_: Any) -> None:
        connected.subscribe([gmqtt.Subscription(f"hbot/{name}/{command}", qos=1) for command in COMMANDS])

    client.on_message, client.on_connect = receive, connect
    client.on_subscribe = lambda *_: subscribed.set()
    await client.connect(
        login["SIGNAL_GATEWAY_MQTT_HOST"], int(login["SIGNAL_GATEWAY_MQTT_PORT"]), version=gmqtt.constants.MQTTv311
    )
    await subscribed.wait()
    record.write(json.dumps({"listening": os.getpid()}) + "\n")
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
