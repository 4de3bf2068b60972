"""A bot that is killed with SIGKILL inside its callbacks, again and again, on a real Mosquitto."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot_plugin import PluginSettings, SignalListener
from schemas.receipt import Stage
from tests.integration.bot_plugin.rig import Gateway, Mosquitto, eventually

BOT = Path(__file__).with_name("crashing_bot.py")
SOURCES = ("alpha", "beta", "gamma")
SIGNALS = 150
KILLS = 6


class Process:
    """The bot, started and killed; what it wrote down stays."""

    def __init__(self, folder: Path, port: int) -> None:
        self.record, self._log = folder / "record.jsonl", folder / "bot.log"
        self.record.touch()
        self._environment = {
            **os.environ,
            "SIGNAL_GATEWAY_BOT": "demo",
            "SIGNAL_GATEWAY_MQTT_PORT": str(port),
            "SIGNAL_GATEWAY_MQTT_HOST": "127.0.0.1",
            "SIGNAL_GATEWAY_STATE_DIR": str(folder / "state"),
            "PYTHONPATH": str(BOT.parents[3]),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(BOT), str(self.record)], env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def lines(self) -> list[tuple[str, str, str]]:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-4000:]
        return [
            tuple(json.loads(line)) for line in self.record.read_text().splitlines(keepends=True) if line[-1] == "\n"
        ]


@pytest.fixture
def process(tmp_path: Path, broker: Mosquitto) -> Iterator[Process]:
    process = Process(tmp_path, broker.port)
    yield process
    process.kill()


def ends(gateway: Gateway) -> dict[tuple[str, str | None], set[Stage]]:
    """The final stages of each signal in each handler, as the gateway has them."""
    found: dict[tuple[str, str | None], set[Stage]] = defaultdict(set)
    for receipt in gateway.receipts():
        if receipt.stage.final:
            found[receipt.signal, receipt.handler].add(receipt.stage)
    return found


async def test_killed_inside_callbacks_nothing_runs_twice_and_everything_ends(
    process: Process, gateway: Gateway, make_listener: Callable[..., SignalListener]
) -> None:
    stand_in = SignalListener(PluginSettings(bot="demo"))
    process.start()
    await eventually(lambda: any(b'"presence":"online"' in message.payload for message in gateway.messages))
    process.kill()
    ids = {source: [] for source in SOURCES}
    for number in range(SIGNALS):
        source = SOURCES[number % len(SOURCES)]
        ids[source].append(await gateway.send(stand_in, source=source, ttl=900, sequence=number + 1))
    for _ in range(KILLS):
        process.start()
        begun = len(process.lines())
        await eventually(lambda begun=begun: len(process.lines()) >= begun + 20, within=20)
        process.kill()
    process.start()
    await eventually(lambda: len(ends(gateway)) == 2 * SIGNALS, within=40)

    stages = ends(gateway)
    lines = process.lines()
    begun = Counter(id_ for what, _, id_ in lines if what == "act")
    told = Counter(id_ for what, _, id_ in lines if what == "interrupted")
    interrupted = {id_ for (id_, handler), found in stages.items() if found == {Stage.INTERRUPTED}}
    assert all(len(found) == 1 for found in stages.values())
    assert set(begun.values()) == {1}
    assert {id_ for (id_, handler), found in stages.items() if found == {Stage.HANDLED} and handler == "act"} <= set(
        begun
    )
    assert all(stages[id_, "safe"] == {Stage.HANDLED} for id_, _ in stages)
    assert len(interrupted) <= KILLS * len(SOURCES)
    assert set(told) == interrupted
    for source in SOURCES:
        order = [id_ for what, its, id_ in lines if what == "act" and its == source]
        assert order == [id_ for id_ in ids[source] if id_ in begun]
        assert set(ids[source]) - set(order) <= interrupted
