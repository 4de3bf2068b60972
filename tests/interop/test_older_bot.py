"""A bot of commlib-py's times is understood: its nanoseconds, its envelopes, and where it listens."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from bot_plugin.client import ClientSettings, Outcome, SyncBotClient
from tests.brokers import MosquittoFactory
from tests.e2e.deployment import Deployment, spawn, until
from tests.e2e.test_alert_to_callback import alert

NAME = "older1"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def start(record: Path) -> Iterator[Callable[..., None]]:
    processes: list[Popen[bytes]] = []

    def start(port: int, **environment: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("older_bot.py")), NAME, str(port), str(record)]
        processes.append(spawn(command, log=record.with_name("bot.log"), **environment))

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_client_finds_it_by_its_heartbeat_and_reads_what_it_answers(
    mosquitto: MosquittoFactory, start: Callable[..., None]
) -> None:
    """A heartbeat that were read in another unit would be of another century."""
    broker = mosquitto()
    start(broker.port)
    with SyncBotClient(ClientSettings(host=broker.host, port=broker.port, name="desk")) as client:
        assert client.wait_alive(NAME, within=20).alive
        status = client.status(NAME)
        unknown = client.history(NAME, within=1)

    assert (status.outcome, status.status, status.msg) == (Outcome.DONE, 200, "it ticks")
    assert (unknown.outcome, unknown.sent) == (Outcome.UNKNOWN, False)


def test_the_gateway_takes_it_for_a_stock_bot_commands_it_and_sends_it_signals(
    tmp_path: Path, start: Callable[..., None], record: Path
) -> None:
    """It subscribes to one level below external/event: an event's name without a dot reaches it."""
    source = {"hummingbot": {"bots": [NAME], "event": "signal"}}
    deployment = Deployment(tmp_path, sources={"hb": source}, external=True)
    deployment.start()
    try:
        deployment.add_bot(NAME)
        start(deployment.broker_port, PASSWORD=deployment.login(NAME)["SIGNAL_GATEWAY_MQTT_PASSWORD"])
        until(lambda: deployment.api(f"bots/{NAME}")["state"] == "alive")
        until(lambda: deployment.api(f"bots/{NAME}")["clock"]["heartbeat_ahead_seconds"] is not None)
        shown = deployment.api(f"bots/{NAME}")
        answer = deployment.cli("bots", "status", NAME, "--json")
        _, posted = deployment.post("hb", alert("BTC"))
        until(lambda: record.exists() and record.read_text().endswith("\n"))
    finally:
        deployment.close()

    event = json.loads(record.read_text())
    assert (shown["profile"], shown["last_seen_by"]) == ("hummingbot", "heartbeat")
    assert abs(shown["clock"]["heartbeat_ahead_seconds"]) < 2
    assert (answer["outcome"], answer["reply"]["msg"]) == ("done", "it ticks")
    assert event["topic"] == f"hbot/{NAME}/external/event/signal"
    assert (event["type"], event["data"]["id"], event["data"]["type"]) == ("eevent", posted["id"], "buy")
