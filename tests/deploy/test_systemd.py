"""The systemd unit: systemd finds nothing wrong with it, and the gateway keeps its side of it."""

from __future__ import annotations

import configparser
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.systemd import tell
from tests.brokers import free_port, require
from tests.docs.markdown import page
from tests.stopping import STOPPING

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "signal-gateway.service"


def service() -> configparser.SectionProxy:
    """The unit's service section; of a key that comes again, the last one."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    return unit["Service"]


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    program = require("systemd-analyze", package="systemd")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    installed = tmp_path / UNIT.name
    command = service()["ExecStart"].split()[0]
    installed.write_text(UNIT.read_text().replace(command, "/bin/true"))  # which is there
    done = analyze("verify", "--man=no", installed)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_gives_the_gateway_little_to_do_harm_with() -> None:
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=15", UNIT)

    assert done.returncode == 0, done.stdout[-300:]


def test_the_unit_starts_what_the_page_installs() -> None:
    text = page("docs/operate.md")
    command, *arguments = service()["ExecStart"].split()

    folder, _, name = command.partition("/venv/bin/")
    assert name == "signal-gateway"
    assert f"cd {folder}\n/usr/bin/python3 -m venv venv\n" in text
    assert arguments == ["run"]
    assert f"SIGNAL_GATEWAY_DATA=/var/lib/{service()['StateDirectory']}" in UNIT.read_text()
    assert f"useradd --system --home-dir /var/lib/{service()['StateDirectory']}" in text
    assert service()["User"] in text


def test_systemd_waits_for_longer_than_the_gateway_takes_to_stop() -> None:
    assert float(service()["TimeoutStopSec"]) > STOPPING


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd's, and its address."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(30)
        yield listener, path


def test_the_gateway_says_that_it_is_ready_when_it_takes_signals(
    tmp_path: Path, heard: tuple[socket.socket, str]
) -> None:
    assert service()["Type"] == "notify"
    listener, path = heard
    port = free_port()
    environ = os.environ | {
        "NOTIFY_SOCKET": path,
        "SIGNAL_GATEWAY_DATA": str(tmp_path / "data"),
        "SIGNAL_GATEWAY_HTTP__PUBLIC__PORT": str(port),
        "SIGNAL_GATEWAY_HTTP__PRIVATE__PORT": str(free_port()),
        "SIGNAL_GATEWAY_BROKER__PORT": str(free_port()),
    }
    command = [sys.executable, "-m", "gateway"]
    subprocess.run([*command, "init"], env=environ, cwd=ROOT, check=True, capture_output=True)
    process = subprocess.Popen([*command, "run"], env=environ, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        assert listener.recv(100) == b"READY=1"
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_an_abstract_socket_is_told_too() -> None:
    name = f"@signal-gateway-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name[1:]}")
        listener.settimeout(5)
        tell({"NOTIFY_SOCKET": name}, "READY=1")
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/notify", "@nobody-listens-here"])
def test_nobody_who_can_be_told_is_no_error(address: str) -> None:
    tell({"NOTIFY_SOCKET": address}, "READY=1")
    tell({}, "READY=1")


def test_every_path_of_the_unit_is_explained_by_the_page() -> None:
    text = page("docs/operate.md")
    paths = set(re.findall(r"/(?:usr|var)/[\w/-]*?signal-gateway", UNIT.read_text()))

    assert len(paths) == 2
    assert all(path in text for path in paths)
