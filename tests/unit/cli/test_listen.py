"""``listen`` at a real broker: it shows what bot ``demo`` may read, and ends cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import MosquittoFactory, eventually, require
from tests.unit.cli.conftest import Call

ENVELOPE = (
    '{"specversion":"1.0","id":"1","source":"/sources/tv","type":"signal.alert.v1","time":"2026-11-22T10:15:01.123456Z",'
    '"expirytime":"2026-11-22T10:16:01.123456Z","mode":"live","data":{"message":"\\u001b[2Jhello"}}'
)


@pytest.fixture
def listening(call: Call, mosquitto: MosquittoFactory, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    broker = mosquitto()
    call("init")
    environ = os.environ | {
        "SIGNAL_GATEWAY_BROKER__KIND": "external",
        "SIGNAL_GATEWAY_BROKER__PORT": str(broker.port),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    output = (tmp_path / "out").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "listen"],
        cwd=tmp_path,
        env=environ,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process, broker.port
    process.kill()
    process.wait()
    output.close()


async def test_a_signal_is_shown_as_a_line_without_a_control_character_and_ctrl_c_ends_it(
    listening: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    process, port = listening
    out = tmp_path / "out"
    await eventually(lambda: "Ctrl-C ends it" in out.read_text(), within=10)
    program = require("mosquitto_pub", package="mosquitto-clients")
    command = [program, "-p", str(port), "-t", "signals/v1/alert/tv/-", "-m", ENVELOPE, "-q", "1"]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=10)

    await eventually(lambda: "hello" in out.read_text())
    process.send_signal(signal.SIGINT)

    assert await asyncio.to_thread(process.wait, 10) == 0
    assert r"10:15:01.123  tv  alert  -  \x1b[2Jhello" in out.read_text()
    assert "Traceback" not in out.read_text()


def test_no_broker_ends_with_3_and_says_what_to_start(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.listen._CONNECT_WITHIN", 0.3)
    call("init")
    ended = call("listen")

    assert ended.code == 3
    assert "signal-gateway run" in ended.err
