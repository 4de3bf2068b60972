"""A bot with the plugin is commanded through the gateway: answers, its own commands, signatures, once per key."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from commlib.msg import RPCMessage
from commlib.transports.mqtt import ConnectionParameters, RPCClient

from bot_plugin.client import BotClient, ClientSettings
from bot_plugin.settings_files import read_env_file
from tests.e2e.deployment import Bot, Deployment, until
from tests.e2e.test_commands import add_client, requests

PLUGIN = Path(__file__).with_name("commanded_bot.py")
KEY = f"ops:{'k' * 44}"


@pytest.fixture
def deployment(deploy: Callable[..., Deployment], *, external: bool) -> Deployment:
    return deploy(sources={"tv": {}}, external=external, bot=PLUGIN)


def start(deployment: Deployment, **environment: str) -> Bot:
    """Start the bot, and return when it answers commands."""
    bot = deployment.start_bot("one", **environment)
    until(lambda: post(deployment, "status", key="") != 503)
    return bot


def post(deployment: Deployment, command: str, *, key: str = "7", timeout: float = 10, **data: Any) -> int:
    """Send a command over HTTP with an idempotency key; the status."""
    token = (deployment.data / "secrets" / "api.token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
    address = f"http://127.0.0.1:{deployment.private}/api/v1/bots/one/commands/{command}?timeout={timeout:g}"
    request = urllib.request.Request(address, data=json.dumps(data).encode(), headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout + 10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_each_kind_of_answer_comes_back_to_the_command_line(deployment: Deployment) -> None:
    bot = start(deployment)

    assert deployment.cli("bots", "status", "one", "--json")["reply"]["msg"] == "all is well"
    assert deployment.cli("bots", "start", "one", "--script", "a.py", "--json")["reply"]["msg"] == "a.py runs"
    assert deployment.cli("bots", "balance", "one", "--json")["reply"]["data"]["paper"]["BTC"]["total"] == "0.5"
    own = deployment.cli("bots", "command", "one", "rebalance", '{"to": 0.5}', "--json")
    assert own["reply"]["data"] == {"moved": 0.5}
    refused = deployment.cli("bots", "stop", "one", "--json", code=1)["error"]
    assert refused["message"] == "one refused stop: nothing runs"
    lacking = deployment.cli("bots", "history", "one", "--json", code=1)["error"]
    assert lacking["outcome"] == "refused" or lacking["problem"]["code"] == "not_delivered"
    assert [entry["command"] for entry in requests(bot)] == ["start", "rebalance", "stop"]


def test_a_retried_request_runs_once_also_when_gateway_and_bot_were_started_again(deployment: Deployment) -> None:
    bot = start(deployment)
    assert [post(deployment, "start", script="a.py") for _ in range(2)] == [200, 200]
    assert post(deployment, "start", script="b.py") == 422
    deployment.stop_gateway()
    deployment.start_gateway()
    until(lambda: post(deployment, "status", key="") != 503)
    assert post(deployment, "start", script="a.py") == 200
    bot.process.terminate()
    bot.process.wait(timeout=20)
    deployment.stop_gateway()
    deployment.start_gateway()
    start(deployment)

    assert post(deployment, "start", script="a.py") == 200
    assert [entry["command"] for entry in requests(bot)] == ["start"]


def test_what_was_unknown_is_known_when_the_answer_came_late(deployment: Deployment) -> None:
    bot = start(deployment)
    assert post(deployment, "start", script="slow", timeout=1) == 504
    until(lambda: post(deployment, "start", script="slow") == 200)

    assert [entry["command"] for entry in requests(bot)] == ["start"]


def test_a_command_that_a_crash_cut_short_is_not_run_again_and_its_repeat_says_so(deployment: Deployment) -> None:
    bot = start(deployment)
    calling = ThreadPoolExecutor(1).submit(post, deployment, "start", script="slow", timeout=2)
    until(lambda: requests(bot))
    bot.process.kill()
    bot.process.wait()
    assert calling.result(timeout=20) == 504
    start(deployment)

    assert post(deployment, "start", script="slow") == 409
    assert [entry["command"] for entry in requests(bot)] == ["start"]


class Rebalance(RPCMessage):
    """A bot's own command, as commlib-py spells it."""

    class Request(RPCMessage.Request):
        to: float

    class Response(RPCMessage.Response):
        status: int
        msg: str
        data: dict[str, Any]


def test_a_client_of_commlib_with_a_login_of_its_own_gets_its_reply(deployment: Deployment) -> None:
    start(deployment)
    login = read_env_file(add_client(deployment, "alice", "--role", "operator", "--bots", "one", "--legacy"))
    client = RPCClient(
        conn_params=ConnectionParameters(
            host="127.0.0.1",
            port=deployment.broker_port,
            username=login["SIGNAL_GATEWAY_MQTT_USERNAME"],
            password=login["SIGNAL_GATEWAY_MQTT_PASSWORD"],
        ),
        rpc_name="hbot/one/command/rebalance",
        msg_type=Rebalance,
    )
    client.run()
    try:
        answer = client.call(Rebalance.Request(to=0.5), timeout=15)
    finally:
        client.stop()

    assert (answer.status, answer.data) == (200, {"moved": 0.5})


async def test_a_bot_client_with_a_login_of_its_own_commands_the_bot(deployment: Deployment) -> None:
    def prepare() -> Path:
        start(deployment)
        return add_client(deployment, "alice", "--role", "operator", "--bots", "one")

    settings = ClientSettings.from_env({}, env_file=await asyncio.to_thread(prepare))
    async with BotClient(settings) as client:
        status, own = await client.status("one"), await client.command("one", "rebalance", {"to": 0.5})

    assert (settings.name, settings.bots) == ("alice", ("one",))
    assert (status.outcome.value, status.msg) == ("done", "all is well")
    assert own.data == {"moved": 0.5}


def test_a_bot_with_a_command_key_runs_what_the_gateway_signs_and_nothing_else(
    deploy: Callable[..., Deployment], *, external: bool, tmp_path: Path
) -> None:
    (tmp_path / "one.key").write_text(f"{KEY}\n")
    signed = {"commands": {"bots": {"one": {"key_file": str(tmp_path / "one.key")}}}}
    deployment = deploy(sources={"tv": {}}, external=external, bot=PLUGIN, settings=signed)
    bot = start(deployment, SIGNAL_GATEWAY_COMMAND_KEYS_FILE=str(tmp_path / "one.key"))
    assert deployment.cli("bots", "start", "one", "--script", "a.py", "--json")["outcome"] == "done"

    deployment.stop_gateway()
    document = json.loads((deployment.data / "signal-gateway.yml").read_text())
    del document["commands"]
    (deployment.data / "signal-gateway.yml").write_text(json.dumps(document))
    deployment.start_gateway()
    until(lambda: post(deployment, "status", key="") != 503)
    refused = deployment.cli("bots", "start", "one", "--script", "b.py", "--json", code=1)["error"]

    assert "not signed" in refused["message"]
    assert len(requests(bot)) == 1
