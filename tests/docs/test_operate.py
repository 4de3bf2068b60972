"""The commands of the page on operation, typed one after the other on a gateway that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.clients import read_clients
from tests.docs.markdown import blocks, page
from tests.e2e.deployment import Deployment, until

pytestmark = pytest.mark.more

SYSTEMCTL = """#!/bin/sh
echo "$@" >>"$CALLS/calls"
while [ "$(wc -l <"$CALLS/done")" -lt "$(wc -l <"$CALLS/calls")" ]; do sleep 0.05; done
"""
"""Stands for systemd: asks the test to stop and start the gateway, and waits until it has."""

ROOT = Path(__file__).parents[2]
SOURCES = {"tradingview": {}, "model": {"type": "prediction", "models": ["m1"]}}


class Shell:
    """Types the blocks of a section."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self._deployment = deployment
        self._folder = folder
        for name in ("calls", "done"):
            (folder / name).touch()
        (folder / "systemctl").write_text(SYSTEMCTL)
        (folder / "systemctl").chmod(0o755)
        (folder / "signal-gateway").write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway "$@"\n')
        (folder / "signal-gateway").chmod(0o755)

    def type(self, section: str, *, changed: dict[str, str]) -> str:
        """Run the section's shell blocks; what they printed."""
        text = "\n".join(block.text for block in blocks(page("docs/operate.md")) if block.section == section)
        for shown, there in changed.items():
            assert shown in text
            text = text.replace(shown, there)
        process = subprocess.Popen(
            ["bash", "-euc", text], cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {
                "PATH": f"{self._folder}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "CALLS": str(self._folder),
                "SIGNAL_GATEWAY_DATA": str(self._deployment.data),
            },
        )  # fmt: skip
        until(lambda: self._serve(process), within=60)
        said = process.communicate()[0]
        assert process.returncode == 0, said
        return said

    def _serve(self, process: subprocess.Popen[str]) -> bool:
        """Do what systemctl was asked for; whether the shell has ended."""
        calls = (self._folder / "calls").read_text().splitlines()
        for call in calls[len((self._folder / "done").read_text().splitlines()) :]:
            verb, unit = call.split()
            assert unit == "signal-gateway" or call == "reload mosquitto"
            if verb in {"stop", "restart"}:
                self._deployment.stop_gateway()
            if verb in {"start", "restart"}:
                self._deployment.start_gateway()
            with (self._folder / "done").open("a") as done:
                done.write(call + "\n")
        return process.poll() is not None


@pytest.fixture
def deployment(tmp_path: Path):
    made = Deployment(tmp_path, sources=SOURCES, external=False)
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_a_gateway_is_backed_up_and_restored_as_the_page_says(deployment: Deployment, tmp_path: Path) -> None:
    shell = Shell(deployment, tmp_path)
    _, answer = deployment.post("tradingview", '{"ticker": "BINANCE:BTCUSDT", "action": "closelong"}')
    backups = {"/var/backups/signal-gateway/": f"{tmp_path}/"}
    shell.type("Back up", changed=backups)
    _, later = deployment.post("tradingview", '{"ticker": "BINANCE:ETHUSDT", "action": "closelong"}')
    said = shell.type("Restore", changed=backups)

    assert "what was there before is in" in said
    assert [life["id"] for life in deployment.cli("signals", "--json")["signals"]] == [answer["id"]]
    assert later["id"] != answer["id"]


def test_keys_are_changed_as_the_page_says(deployment: Deployment, tmp_path: Path) -> None:
    deployment.cli("clients", "add", "alice", "--json")
    deployment.cli("bots", "add", "mybot", "--json")
    clients = read_clients(deployment.data / "secrets" / "clients.json")
    secrets = {
        name: (deployment.data / "secrets" / name).read_text() for name in ("api.token", "keys.json", "bots.json")
    }
    body = '{"ticker": "BINANCE:BTCUSDT", "action": "closelong"}'
    said = Shell(deployment, tmp_path).type("Change keys", changed={})

    assert deployment.post("tradingview", body)[0] == 202  # the old one, for 10 minutes
    assert "/hooks/tradingview/sg_" in said
    assert "whsec_" in said
    assert read_clients(deployment.data / "secrets" / "clients.json") != clients
    for name, before in secrets.items():
        assert (deployment.data / "secrets" / name).read_text() != before
    assert deployment.api("status")["broker"]["connected"]  # with the new key, and its new login
    for name in ("alice.env", "mybot.env"):
        assert "SIGNAL_GATEWAY_" in (tmp_path / name).read_text()


def test_an_upgrade_is_done_as_the_page_says(deployment: Deployment, tmp_path: Path) -> None:
    """Nothing of the old version is left where the new one is installed from; pip is told what is there."""
    library = tmp_path / "library"
    pip = library / "venv" / "bin" / "pip"
    for folder in (pip.parent, library / "src"):
        folder.mkdir(parents=True)
    pip.write_text('#!/bin/sh\nfor last; do :; done; test -e "$last" && echo "pip $*"\n')
    pip.chmod(0o755)
    (library / "src" / "old").touch()
    said = Shell(deployment, tmp_path).type(
        "Upgrade",
        changed={
            "/usr/local/lib/signal-gateway": str(library),
            "git archive HEAD": f"git -C {ROOT} archive HEAD",
            "/var/backups/signal-gateway/before-upgrade.tar.gz": f"{tmp_path}/b.tar.gz",
            "/var/lib/signal-gateway/journal/backups/20261126T110000Z-before-journal-4.tar.gz": f"{tmp_path}/b.tar.gz",
        },
    )

    assert not (library / "src" / "old").exists()
    assert (library / "src" / "pyproject.toml").exists()
    assert "pip install --no-deps ./src" in said
    assert "restored what was there" in said
    assert deployment.api("status")["ready"]
