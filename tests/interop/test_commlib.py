"""A client of somebody else's: commlib-py 0.13 commands the reference bot over Mosquitto."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commlib.msg import RPCMessage
from commlib.transports.mqtt import ConnectionParameters, RPCClient
from pydantic import ConfigDict

from bot_plugin.reconnecting import MqttLink
from bot_plugin.transport import LinkSettings, Message
from schemas.command import Command
from tests.brokers import Mosquitto, MosquittoFactory, eventually
from tests.docs.markdown import ROOT
from tests.e2e.deployment import spawn


class Call(RPCMessage):
    """A call as Hummingbot's own client has it: whatever a command takes, and what the stock bridge answers."""

    class Request(RPCMessage.Request):
        model_config = ConfigDict(extra="allow")

    class Response(RPCMessage.Response):
        model_config = ConfigDict(extra="allow")
        status: int
        msg: str


@pytest.fixture
def broker(mosquitto: MosquittoFactory) -> Mosquitto:
    return mosquitto()


@pytest.fixture
async def bot(broker: Mosquitto, tmp_path: Path) -> AsyncIterator[None]:
    """The reference bot, as its user starts it."""
    process = spawn(
        [sys.executable, str(ROOT / "examples" / "paper_bot.py")],
        log=tmp_path / "bot.log",
        PYTHONPATH=str(ROOT),
        SIGNAL_GATEWAY_BOT="demo",
        SIGNAL_GATEWAY_MQTT_HOST=broker.host,
        SIGNAL_GATEWAY_MQTT_PORT=str(broker.port),
        SIGNAL_GATEWAY_STATE_DIR=str(tmp_path / "state"),
        PAPER_SPEED="0",
    )
    await eventually(lambda: "signals.demo.cmd" in broker.log.read_text())
    yield
    process.terminate()
    assert await asyncio.to_thread(process.wait, 30) == 0


@pytest.fixture
def call(broker: Mosquitto) -> Iterator[Callable[..., Any]]:
    """Call a command in a thread, with a client of its own, as commlib has one for each command."""
    logging.getLogger("commlib").setLevel(logging.ERROR)
    clients = []

    async def call(name: str, **data: Any) -> Any:
        parameters = ConnectionParameters(host=broker.host, port=broker.port)
        client = RPCClient(conn_params=parameters, rpc_name=f"hbot/demo/{name}", msg_type=Call)
        clients.append(client)

        def go() -> Any:
            client.run()
            return client.call(Call.Request(**data), timeout=10)

        return (await asyncio.to_thread(go)).model_dump()

    yield call
    for client in clients:
        close(client)


def close(client: RPCClient) -> None:
    """Stop a client, and the thread and the sockets of its paho, which commlib leaves to the garbage collector."""
    client.stop()
    paho = client._transport._client
    paho.loop_stop()
    paho._reset_sockets()


CALLS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("stop", {"skip_order_cancellation": False}, {"msg": "follow_signals is stopped; positions stay as they are"}),
    ("import", {"strategy": "half_size"}, {"msg": "half_size is imported"}),
    (
        "import",
        {"strategy": "pmm"},
        {"status": 400, "msg": "there is no configuration 'pmm': follow_signals, half_size"},
    ),
    ("start", {"script": "follow_signals", "async_backend": False}, {"msg": "follow_signals runs"}),
    (
        "status",
        {"async_backend": False},
        {
            "msg": "follow_signals runs; 0 trades, PnL 0.00 USDT",
            "data": {"running": True, "strategy": "follow_signals", "trades": 0, "pnl": "0"},
        },
    ),
    ("config", {"params": [["size", 0.2]]}, {"msg": "", "changes": [["size", "0.2"]], "config": {"size": "0.2"}}),
    ("config", {"params": [["x", 1]]}, {"status": 400, "msg": "Invalid param key(s): ['x']"}),
    ("history", {"days": 0, "verbose": False, "precision": None, "async_backend": False}, {"msg": "", "trades": []}),
    ("balance", {}, {"msg": "", "data": {"paper": {"USDT": "100000"}}}),
    (
        "balance/limit",
        {"exchange": "paper", "asset": "BTC", "amount": 0.25},
        {"msg": "", "data": {"paper": {"BTC": "0.25"}}},
    ),
    ("balance/paper", {"asset": "BTC", "amount": 1}, {"msg": "", "data": {"USDT": "100000", "BTC": "1"}}),
    ("balance/paper", {"asset": "BTC"}, {"status": 400, "msg": "amount: is missing."}),
    ("command/flatten", {}, {"msg": "closed: nothing was open"}),
]


async def test_its_requests_are_what_the_contract_says_of_them(
    broker: Mosquitto, bot: None, call: Callable[..., Any]
) -> None:
    heard: list[Message] = []

    async def receive(message: Message) -> None:
        heard.append(message)

    ear = MqttLink(
        LinkSettings(host=broker.host, port=broker.port, client_id="ear", clean=True, filters=("hbot/demo/stop",))
    )
    listening = asyncio.ensure_future(ear.run(receive, lambda: None))
    await eventually(lambda: ear.connected)
    await call("stop")
    await eventually(lambda: heard)
    listening.cancel()
    await asyncio.wait({listening})
    header = json.loads(heard[0].payload)["header"]

    assert re.fullmatch(r"rpc-[0-9a-f]{32}", header["reply_to"])
    assert abs(header["timestamp"] - time.time_ns()) < 60 * 10**9
    assert "msg_id" not in header


async def test_each_command_gets_the_documented_answer_of_the_reference_bot(
    bot: None, call: Callable[..., Any]
) -> None:
    answers = [await call(name, **data) for name, data, _ in CALLS]

    assert answers == [{"status": 200} | answer for *_, answer in CALLS]
    assert {name for name, *_ in CALLS} == {*Command, "command/flatten"}
