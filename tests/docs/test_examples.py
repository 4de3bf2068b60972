"""The README's first alert, and the examples, with a real gateway and its embedded broker."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.docs.markdown import ROOT, page
from tests.e2e.deployment import Deployment, spawn, until

ENTRY, EXIT = re.findall(r"^curl -d '(.+)' \"\$WEBHOOK\"$", page("README.md"), re.MULTILINE)

Start = Callable[..., Callable[[], str]]


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path, sources={"tradingview": {}}, external=False)
    deployment.start()
    yield deployment
    deployment.close()


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Start]:
    """Start the demo, and return what it has written so far."""
    processes: list[Popen[bytes]] = []

    def run(name: str, *arguments: str) -> Callable[[], str]:
        log = tmp_path / f"{name}.out"
        processes.append(spawn([sys.executable, *arguments], log=log, PYTHONPATH=str(ROOT)))
        return log.read_text

    yield run
    for process in processes:
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def start(deployment: Deployment) -> Iterator[Start]:
    """Start a process, and return what it has written so far."""
    processes: list[Popen[bytes]] = []

    def run(name: str, *arguments: str, bot: str = "demo", **environment: str) -> Callable[[], str]:
        log = deployment.folder / f"{name}.out"
        environment["SIGNAL_GATEWAY_ENV_FILE"] = str(deployment.data / "bots" / f"{bot}.env")
        environment["SIGNAL_GATEWAY_STATE_DIR"] = str(deployment.folder / f"{bot}.state")
        processes.append(spawn([sys.executable, *arguments], log=log, PYTHONPATH=str(ROOT), **environment))
        return log.read_text

    yield run
    for process in processes:
        process.terminate()
        process.wait(timeout=15)


def accepted(deployment: Deployment, body: str) -> str:
    """Post a body as curl does; its id."""
    status, answer = deployment.post("tradingview", body)
    assert (status, answer["status"]) == (202, "accepted")
    return str(answer["id"])


def handled(deployment: Deployment, id_: str) -> list[Any]:
    return [receipt for receipt in deployment.api(f"signals/{id_}")["receipts"] if receipt["stage"] == "handled"]


def test_the_first_alert_goes_as_the_readme_says_also_after_a_restart(deployment: Deployment, start: Start) -> None:
    bot = start("bot", str(ROOT / "examples" / "print_signals.py"))
    first = accepted(deployment, EXIT)
    until(lambda: f"trade live tradingview close BTC-USDT id={first}" in bot())
    until(lambda: handled(deployment, first))
    assert deployment.stop_gateway() == 0
    deployment.start_gateway()
    again = accepted(deployment, "hello again")
    until(lambda: f"alert live tradingview hello again id={again}" in bot())

    listen = start("listen", "-m", "gateway", "listen", "--data", str(deployment.data))
    until(lambda: "listening at" in listen())
    entry = accepted(deployment, ENTRY)

    until(lambda: f"trade live tradingview buy BTC-USDT 0.1 id={entry}" in bot())
    until(lambda: "tradingview  buy (unknown)  BTC-USDT  0.1 contracts  at 97250.5" in listen())
    assert [life["id"] for life in deployment.cli("signals", "--json")["signals"]] == [entry, again, first]


def test_the_queue_strategy_handles_what_its_tick_takes(deployment: Deployment, start: Start) -> None:
    bot = start("bot", str(ROOT / "examples" / "queue_strategy.py"), TICK="0.05")

    id_ = accepted(deployment, ENTRY)

    until(lambda: f"buy BTC-USDT id={id_}" in bot())
    until(lambda: len(handled(deployment, id_)) == 2)


def test_the_demo_lets_two_bots_follow_a_day_of_alerts_and_answer_commands(tmp_path: Path, start_demo: Start) -> None:
    demo = start_demo("demo", str(ROOT / "examples" / "demo" / "replay.py"), "--data", str(tmp_path), "--speed", "400")

    until(lambda: "Everything runs on" in demo(), within=60)

    lines = demo().splitlines()
    replayed = [line for line in lines if "->" in line]
    days = (ROOT / "examples" / "demo" / "alerts.jsonl").read_text().splitlines()
    assert len(replayed) == len(days)
    assert (
        "already"
        in subprocess.run(
            [sys.executable, str(ROOT / "examples" / "demo" / "replay.py"), "--data", str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        ).stderr.decode()
    )
    assert all("trend handled" in line and "careful handled" in line for line in replayed)
    assert [line.partition(" runs; ")[0] for line in lines if " runs; " in line] == [
        "trend: follow_signals",
        "careful: half_size",
    ]


def test_a_paper_account_trades_what_it_was_given() -> None:
    """``balance/paper`` gives what nobody bought: it has the price of the first trade, and no trade is half done."""
    account = runpy.run_path(str(ROOT / "examples" / "paper_account.py"))["Account"]()
    account.held["BTC"] = Decimal(5)

    account.trade("BTC-USDT", Decimal(1), Decimal(100))

    assert (account.held["BTC"], account.entry["BTC-USDT"], len(account.trades)) == (6, 100, 1)
