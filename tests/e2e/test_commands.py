"""Bots are commanded through the command line and the broker, by whom the rules allow, and by nobody else."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bot_plugin.settings_files import read_env_file
from gateway.mqtt import GmqttLink, LinkSettings, SubscriptionDenied, Version
from schemas.rpc import Request, read_reply, write_request
from tests.brokers import eventually
from tests.e2e.deployment import Bot, Deployment, until
from tests.e2e.test_bots import lines

STOCK = Path(__file__).with_name("stock_bot.py")
FORGED = b'{"header":{},"data":{"status":200,"msg":"forged"}}'


@pytest.fixture
def deployment(deploy: Callable[..., Deployment], *, external: bool) -> Deployment:
    return deploy(sources={"tv": {}}, external=external, bot=STOCK)


def requests(bot: Bot) -> list[dict[str, Any]]:
    """The commands that reached a bot, in order."""
    return [entry for entry in bot.entries() if "command" in entry]


@asynccontextmanager
async def logged_in(deployment: Deployment, env: Path) -> AsyncIterator[GmqttLink]:
    """A connection to the broker with somebody's login."""
    login = read_env_file(env)
    settings = LinkSettings(
        host="127.0.0.1",
        port=deployment.broker_port,
        client_id=f"somebody-{env.stem}",
        username=login["SIGNAL_GATEWAY_MQTT_USERNAME"],
        password=login["SIGNAL_GATEWAY_MQTT_PASSWORD"],
        version=Version.V5 if deployment.mosquitto else Version.V311,
        session_expiry=0,
    )
    link = GmqttLink(settings)
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(10):
            await link.wait_connected()
        yield link
    finally:
        running.cancel()
        await asyncio.wait({running})


def add_client(deployment: Deployment, name: str, *options: str) -> Path:
    """Make a client with a login; the file with its secrets."""
    env = deployment.folder / f"{name}.env"
    deployment.cli("clients", "add", name, "--broker", "--env-file", str(env), "--json", *options)
    if deployment.mosquitto is not None:
        deployment.mosquitto.reload()
    return env


def test_a_stock_bot_is_commanded_and_what_it_refuses_is_said_in_its_own_words(deployment: Deployment) -> None:
    bot = deployment.start_bot("stock")

    stopped = deployment.cli("bots", "stop", "stock", "--json")
    assert (stopped["outcome"], stopped["reply"]) == ("done", {"status": 200, "msg": ""})
    assert deployment.cli("bots", "history", "stock", "--json")["reply"]["trades"][0]["price"] == "65000.0"
    assert deployment.cli("bots", "balance-limit", "stock", "binance", "BTC", "-1", "--json")["outcome"] == "done"
    assert deployment.cli("bots", "balance-paper", "stock", "BTC", "0.5", "--json")["outcome"] == "done"
    refused = deployment.cli("bots", "status", "stock", "--json", code=1)["error"]
    assert refused["message"] == "stock refused status: 'HummingbotApplication' object has no attribute 'strategy'"
    for command in (["start"], ["config", "x=1"], ["import", "pmm"]):
        error = deployment.cli("bots", command[0], "stock", *command[1:], "--json", code=1)["error"]
        assert error["outcome"] == "refused"

    got = requests(bot)
    assert [entry["command"] for entry in got] == [
        *("stop", "history", "balance/limit", "balance/paper", "status", "start", "config", "import")
    ]
    assert got[2]["request"]["data"] == {"exchange": "binance", "asset": "BTC", "amount": -1}
    assert len({entry["request"]["header"]["reply_to"] for entry in got}) == len(got)
    until(lambda: len(lines(deployment, "audit")) == 8)
    audit = [(line["who"], line["what"], line["outcome"]) for line in lines(deployment, "audit")]
    assert audit[0] == ("api", "command stop", "done")
    assert ("api", "command status", "refused") in audit
    assert deployment.metric("signal_gateway_commands_total", outcome="done") == 4
    assert deployment.metric("signal_gateway_commands_total", outcome="refused", command="import") == 1
    assert deployment.api("signals") == {"signals": [], "next": None}


def test_a_bot_that_says_nothing_is_unknown_and_one_that_is_not_there_was_not_commanded(
    deployment: Deployment,
) -> None:
    deployment.start_bot("stock", SILENT="start")

    silent = deployment.cli("bots", "start", "stock", "--timeout", "1", "--json", code=3)["error"]
    assert silent["outcome"] == "unknown"
    assert silent["message"] == "stock did not answer start within 1 s: it may have run the command, or not"
    absent = deployment.cli("bots", "start", "absent", "--json", code=1)["error"]
    assert absent["problem"]["code"] == "not_delivered"
    assert "there is no bot absent: it has no login" in absent["message"]
    own = deployment.cli("bots", "command", "stock", "rebalance", "--json", code=1)["error"]
    assert "has no such command" in own["message"]


def test_a_broker_that_is_away_is_said_at_once_and_nothing_is_sent_later(deploy: Callable[..., Deployment]) -> None:
    deployment = deploy(sources={"tv": {}}, external=True, bot=STOCK)
    deployment.start_bot("stock")
    assert deployment.mosquitto is not None
    deployment.mosquitto.stop()
    until(lambda: not deployment.api("status")["broker"]["connected"])
    away = deployment.cli("bots", "stop", "stock", "--json", code=1)["error"]
    deployment.mosquitto.start()
    until(lambda: deployment.api("status")["broker"]["connected"])
    bot = deployment.start_bot("another")
    deployment.cli("bots", "stop", "another", "--json")

    assert "no connection to the broker" in away["message"]
    assert [entry["command"] for entry in requests(bot)] == ["stop"]
    assert "stop" not in (deployment.folder / "stock.jsonl").read_text()


def test_a_gateway_that_is_killed_while_a_command_is_under_way_leaves_nothing_behind(deployment: Deployment) -> None:
    bot = deployment.start_bot("stock", SILENT="start")
    command = [sys.executable, "-m", "gateway", "bots", "start", "stock", "--json", "--data", str(deployment.data)]
    calling = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: requests(bot))
    deployment.stop_gateway(signal.SIGKILL)
    _, said = calling.communicate(timeout=20)

    assert calling.returncode == 3
    assert json.loads(said)["error"]["outcome"] == "unknown"
    deployment.start_gateway()
    until(lambda: deployment.cli("bots", "stop", "stock", "--json", code=0) if _back(deployment, bot) else None)
    assert [entry["command"] for entry in requests(bot)] == ["start", "stop"]
    assert deployment.api("signals")["signals"] == []


def _back(deployment: Deployment, bot: Bot) -> bool:
    """Whether the bot's connection outlived the gateway's end; with the embedded broker it is made anew."""
    if deployment.mosquitto is None:
        bot.process.kill()
        bot.process.wait()
        deployment.start_bot("stock", SILENT="start")
    return True


def test_a_gateway_that_stops_says_of_a_command_under_way_that_nobody_knows(deployment: Deployment) -> None:
    bot = deployment.start_bot("stock", SILENT="start")
    command = [sys.executable, "-m", "gateway", "bots", "start", "stock", "--json", "--data", str(deployment.data)]
    calling = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: requests(bot))
    deployment.stop_gateway()
    _, said = calling.communicate(timeout=20)

    assert calling.returncode == 3
    assert "the gateway stopped before the answer came" in json.loads(said)["error"]["message"]


async def test_a_bots_login_commands_nobody_and_answers_for_itself_only(deployment: Deployment) -> None:
    def start() -> tuple[Bot, Bot]:
        deployment.add_bot("rogue")
        return deployment.start_bot("one", SILENT="start"), deployment.start_bot("two")

    one, two = await asyncio.to_thread(start)
    calling = asyncio.create_task(
        asyncio.to_thread(deployment.cli, "bots", "start", "one", "--timeout", "4", "--json", code=3)
    )
    await eventually(lambda: requests(one), within=20)
    reply_to = requests(one)[0]["request"]["header"]["reply_to"]
    forged = write_request(Request(reply_to="rpc-" + "7f" * 16))
    async with logged_in(deployment, deployment.folder / "rogue.env") as rogue:
        for topic in ("hbot/one/stop", "hbot/two/command/x", "hbot/rogue/stop", "hbot/two/balance/limit", reply_to):
            ack = await rogue.publish(topic, FORGED if topic == reply_to else forged)
            assert ack.denied or deployment.mosquitto is None
        assert not (await rogue.publish("hbot/rogue/hb", b"{}")).denied
    silent = await calling
    await asyncio.to_thread(deployment.cli, "bots", "stop", "two", "--json")

    assert silent["error"]["outcome"] == "unknown"
    assert [entry["command"] for entry in requests(one)] == ["start"]
    assert [entry["command"] for entry in requests(two)] == ["stop"]
    assert requests(two)[0]["request"]["header"]["agent"] == "gateway/api"


async def test_a_clients_login_does_at_the_broker_what_its_role_says(deployment: Deployment) -> None:
    def start() -> tuple[Bot, Bot, Path, Path]:
        operator = add_client(deployment, "alice", "--role", "operator", "--bots", "one")
        viewer = add_client(deployment, "bob", "--role", "viewer")
        return deployment.start_bot("one"), deployment.start_bot("two"), operator, viewer

    one, two, operator, viewer = await asyncio.to_thread(start)
    answers: list[bytes] = []

    async def take(_: str, payload: bytes) -> None:
        answers.append(payload)

    async with logged_in(deployment, viewer) as bob:
        await bob.publish("hbot/one/stop", write_request(Request(reply_to="signals/v1/reply/one/bob/7f")))
    async with logged_in(deployment, operator) as alice:
        await alice.subscribe("signals/v1/reply/+/alice/+", take)
        if deployment.mosquitto is None:
            with pytest.raises(SubscriptionDenied):
                await alice.subscribe("signals/v1/reply/+/bob/+", take)
        await alice.publish("hbot/two/stop", write_request(Request(reply_to="signals/v1/reply/two/alice/7f")))
        await alice.publish("hbot/one/stop", write_request(Request(reply_to="signals/v1/reply/one/alice/7f")))
        await eventually(lambda: answers)

    assert read_reply(answers[0]).ok
    assert [entry["command"] for entry in requests(one)] == ["stop"]
    assert requests(two) == []


async def test_only_a_client_that_asked_for_it_gets_replies_as_older_clients_want_them(deployment: Deployment) -> None:
    def start() -> tuple[Bot, Path, Path]:
        legacy = add_client(deployment, "alice", "--role", "operator", "--legacy")
        other = add_client(deployment, "bob", "--role", "operator")
        return deployment.start_bot("one"), legacy, other

    one, legacy, other = await asyncio.to_thread(start)
    heard: dict[str, list[bytes]] = {"alice": [], "bob": []}
    reply_to = f"rpc-{'7f' * 16}"

    async def listen(link: GmqttLink, name: str) -> None:
        async def take(_: str, payload: bytes) -> None:
            heard[name].append(payload)

        with suppress(SubscriptionDenied):
            await link.subscribe(reply_to, take)

    async with logged_in(deployment, legacy) as alice, logged_in(deployment, other) as bob:
        await listen(alice, "alice")
        await listen(bob, "bob")
        await bob.publish("hbot/one/history", write_request(Request(reply_to=reply_to)))
        await eventually(lambda: heard["alice"])

    assert read_reply(heard["alice"][0]).more["trades"]
    assert heard["bob"] == []
    assert len(requests(one)) == 1


def test_a_clients_key_opens_the_api_as_its_role_and_ends_at_once(deployment: Deployment) -> None:
    deployment.start_bot("one")
    key = deployment.cli("clients", "add", "alice", "--role", "operator", "--bots", "one", "--json")["token"]

    assert post(deployment, "bots/one/commands/stop", key) == 200
    assert post(deployment, "bots/two/commands/stop", key) == 403
    assert post(deployment, "bots/one/forget", key) == 403
    assert until(lambda: lines(deployment, "command"))[-1]["who"] == "alice"
    webhook = deployment.webhooks["tv"].rpartition("/")[2]
    assert post(deployment, "bots/one/commands/stop", webhook) == 401
    deployment.cli("clients", "remove", "alice", "--json")
    assert post(deployment, "bots/one/commands/stop", key) == 401


def post(deployment: Deployment, path: str, key: str) -> int:
    """Ask for a change with a key; the status."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:{deployment.private}/api/v1/{path}"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data=b"{}", headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
