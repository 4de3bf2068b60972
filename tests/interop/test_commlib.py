"""A client of somebody else's: commlib-py 0.13 commands a bot of ours over Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commlib.msg import RPCMessage
from commlib.transports.mqtt import ConnectionParameters, RPCClient
from pydantic import ConfigDict

from bot_plugin import CommandFailed, PluginSettings, RemoteCommands, SignalListener
from bot_plugin.commands import Outcome
from bot_plugin.reconnecting import MqttLink
from bot_plugin.transport import LinkSettings, Message
from tests.brokers import Mosquitto, MosquittoFactory, eventually


class Call(RPCMessage):
    """A call as Hummingbot's own client has it: whatever a command takes, and what the stock bridge answers."""

    class Request(RPCMessage.Request):
        model_config = ConfigDict(extra="allow")

    class Response(RPCMessage.Response):
        model_config = ConfigDict(extra="allow")
        status: int
        msg: str


class SmallBot:
    """A bot that has most commands, some plain and some async."""

    def __init__(self) -> None:
        self.running = False
        self.spread = 0.1

    async def start(self, request: Any) -> str:
        self.running = True
        return f"started {request.script}"

    def stop(self, request: Any) -> str:
        self.running = False
        return "stopped"

    def config(self, request: Any) -> dict[str, Any]:
        for name, value in request.params:
            if name != "spread":
                raise CommandFailed(f"Invalid param key(s): ['{name}']")
            self.spread = value
        return {"spread": self.spread}

    async def status(self, request: Any) -> dict[str, Any]:
        return {"running": self.running}

    def history(self, request: Any) -> list[dict[str, str]]:
        return [{"price": "61234.5", "quantity": "0.01"}]

    def balance(self, request: Any) -> dict[str, Any]:
        return {"binance": {"BTC": "0.5"}}

    def balance_limit(self, request: Any) -> str:
        return f"{request.asset} limited to {request.amount} at {request.exchange}"

    async def balance_paper(self, request: Any) -> None:
        return None


@pytest.fixture
def broker(mosquitto: MosquittoFactory) -> Mosquitto:
    return mosquitto()


@pytest.fixture
async def commands(broker: Mosquitto, tmp_path: Path) -> AsyncIterator[RemoteCommands]:
    commands = RemoteCommands(SmallBot())
    commands.handles("rebalance")(lambda data: {"target": data["target"]})
    listener = SignalListener(
        PluginSettings(bot="demo", host=broker.host, port=broker.port, state_dir=str(tmp_path), grace=1)
    )
    listener.serve(commands)
    run = asyncio.ensure_future(listener.run())
    await asyncio.wait_for(listener.wait_connected(), 10)
    await eventually(lambda: "signals.demo.cmd" in broker.log.read_text())
    yield commands
    listener.stop()
    await run


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
        with contextlib.suppress(Exception):
            client.stop()


CALLS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("start", {"script": "a.py", "async_backend": False}, {"status": 200, "msg": "started a.py"}),
    ("status", {"async_backend": False}, {"status": 200, "msg": "", "data": {"running": True}}),
    ("config", {"params": [["spread", 0.2]]}, {"status": 200, "msg": "", "config": {"spread": 0.2}}),
    ("config", {"params": [["x", 1]]}, {"status": 400, "msg": "Invalid param key(s): ['x']"}),
    (
        "history",
        {"days": 0, "verbose": False, "precision": None, "async_backend": False},
        {"status": 200, "msg": "", "trades": [{"price": "61234.5", "quantity": "0.01"}]},
    ),
    ("balance", {}, {"status": 200, "msg": "", "data": {"binance": {"BTC": "0.5"}}}),
    (
        "balance/limit",
        {"exchange": "binance", "asset": "BTC", "amount": 0.25},
        {"status": 200, "msg": "BTC limited to 0.25 at binance"},
    ),
    ("balance/paper", {"asset": "BTC", "amount": 1}, {"status": 200, "msg": ""}),
    ("balance/paper", {"asset": "BTC"}, {"status": 400, "msg": "amount: is missing."}),
    ("command/rebalance", {"target": 0.5}, {"status": 200, "msg": "", "data": {"target": 0.5}}),
    ("stop", {"skip_order_cancellation": False}, {"status": 200, "msg": "stopped"}),
]


async def test_its_requests_are_what_the_contract_says_of_them(
    broker: Mosquitto, commands: RemoteCommands, call: Callable[..., Any]
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


async def test_each_command_gets_the_documented_answer(commands: RemoteCommands, call: Callable[..., Any]) -> None:
    answers = [await call(name, **data) for name, data, _ in CALLS]
    lacking = await call("import", strategy="pmm")

    assert answers == [answer for *_, answer in CALLS]
    assert (lacking["status"], lacking["msg"].partition(";")[0]) == (400, "this bot does not have import")
    assert commands.counts == {Outcome.DONE: 9, Outcome.FAILED: 1, Outcome.INVALID: 1, Outcome.UNKNOWN: 1}
