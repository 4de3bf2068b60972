"""What ``docker run`` gives: a gateway of an ordinary user on a read-only root; it takes signals and ends when told."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.deployment import until
from tests.image.conftest import REVISION, ROOT
from tests.image.container import Container, Image

pytestmark = [pytest.mark.more, pytest.mark.timeout(600)]

GRACE = 10.0
"""Seconds that ``docker stop`` waits."""

OF_BUILDAH = {"etc/hosts", "wheels"}
"""What it leaves where it mounted something: for the network, and for the wheels of this build."""

Start = Callable[..., Container]
ALERT = '{"ticker": "BINANCE:BTCUSDT", "action": "buy", "contracts": "0.1", "price": "97250.5"}'


@pytest.fixture
def running(container: Start) -> Container:
    """A container of the image as it is, healthy."""
    started = container()
    until(started.healthy, within=60)
    return started


def listening(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return {local for _, local, _, state, *_ in (line.split() for line in lines) if state == "0A"}


def test_it_answers_a_webhook_as_user_10001_on_a_read_only_root(running: Container) -> None:
    status = Path(f"/proc/{running.pid}/status").read_text()
    made = running.cli("keys", "rotate", "tradingview")
    answer = running.post(made["webhook"], ALERT)

    assert re.search(r"(?m)^Uid:\t10001\t10001\t10001\t10001$", status)
    assert re.search(r"(?m)^CapEff:\t0+$", status)
    assert running.run("touch", "/app/x").returncode != 0
    assert answer.startswith("202 ")
    signals = running.cli("signals")["signals"]
    assert [one["id"] for one in signals] == [json.loads(answer.partition(" ")[2])["id"]]
    assert {path.lstat().st_uid for path in running.data.rglob("*")} == {10001}


def test_webhooks_are_taken_from_everywhere_and_the_private_listener_and_the_broker_stay_inside(
    running: Container,
) -> None:
    everywhere, loopback = "00000000", "0100007F"

    assert listening(running.pid) == {f"{everywhere}:{8080:04X}", f"{loopback}:{8081:04X}", f"{loopback}:{1883:04X}"}


def test_sigterm_ends_it_within_the_grace_time_and_the_next_start_has_everything(
    running: Container, container: Start
) -> None:
    webhook = running.cli("keys", "rotate", "tradingview")["webhook"]
    running.post(webhook, ALERT)
    begun = time.monotonic()
    os.kill(running.pid, signal.SIGTERM)
    assert running.process is not None
    code = running.process.wait(timeout=30)

    assert code == 0, running.said
    assert time.monotonic() - begun < GRACE
    assert "stopped: " in running.said.splitlines()[-1]
    again = container()
    until(again.healthy, within=60)
    assert len(again.cli("signals")["signals"]) == 1
    assert again.post(webhook, ALERT.replace("97250.5", "97251")).startswith("202 ")


def test_sigterm_ends_it_also_while_it_starts(container: Start) -> None:
    starting = container()
    until(lambda: "made " in starting.said, within=60)
    os.kill(starting.pid, signal.SIGTERM)

    assert starting.process is not None
    assert starting.process.wait(timeout=GRACE) == 0, starting.said


def test_notifications_need_no_place_to_write(container: Start) -> None:
    notifying = container(SIGNAL_GATEWAY_NOTIFY__TARGETS="json://127.0.0.1:9/")

    until(notifying.healthy, within=60)


def test_the_health_check_fails_where_no_gateway_answers(container: Start, image: Image) -> None:
    running = container("signal-gateway", "init")
    assert running.process is not None
    assert running.process.wait(timeout=60) == 0, running.said
    _, *check = image.config["Healthcheck"]["Test"]
    asked = container(*check)

    assert asked.process is not None
    assert asked.process.wait(timeout=60) == 3, asked.said


def test_its_output_has_no_secret(running: Container) -> None:
    files = ("api.token", "gateway-broker.password")
    secrets = [(running.data / "secrets" / name).read_text().strip() for name in files]
    token = running.cli("keys", "rotate", "tradingview")["webhook"].rpartition("/")[2]
    running.post(f"http://127.0.0.1:8080/hooks/tradingview/{token}", ALERT)

    assert not [secret for secret in (*secrets, token, "sg_") if secret in running.said]


def test_it_says_what_it_is(image: Image) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    labels = {name.rpartition(".")[2]: value for name, value in image.config["Labels"].items()}

    assert labels["version"] == version, "the Dockerfile's VERSION is the project's unless given"
    assert labels["revision"] == REVISION
    assert labels["licenses"] == "Apache-2.0"
    assert image.config["StopSignal"] == "SIGTERM"
    assert set(image.config["Volumes"]) == {"/data"}
    assert set(image.config["ExposedPorts"]) == {"8080/tcp"}


def test_it_is_the_base_and_the_installed_package_and_nothing_else(image: Image) -> None:
    def found(root: Path) -> set[str]:
        return {str(path.relative_to(root)) for path in root.rglob("*")}

    added = found(image.root) - found(image.base)
    packages = {name.split("/")[4] for name in added if re.match(r"app/lib/python3\.\d+/site-packages/.", name)}
    programs = {Path(name).name for name in added if name.startswith("app/bin/")}

    assert {name for name in added if name.split("/")[0] not in {"app", "data", "broker"}} <= OF_BUILDAH
    assert {"gateway", "bot_plugin", "schemas"} <= packages
    assert not packages & {"tests", "pip", "setuptools", "pytest"}
    assert "signal-gateway" in programs
    assert not [name for name in added if name.endswith((".pem", ".key", ".env", ".token", ".password", ".git"))
                and "site-packages/certifi/" not in name]  # fmt: skip
    assert not [name for name in ("gcc", "cc", "make", "git", "curl") if (image.root / "usr/bin" / name).exists()]
    assert "/wheels" not in json.dumps(dict(image.config))


def test_it_adds_less_than_120_megabytes_to_its_base(image: Image) -> None:
    base = sum(path.lstat().st_size for path in image.base.rglob("*") if path.is_file() and not path.is_symlink())

    assert image.size - base < 120_000_000
