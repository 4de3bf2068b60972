"""``up`` makes what is missing with credentials of its own, and starts all of it with one call of docker compose."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.compose import FOLDER, document, required

DOCKER = """#!/bin/sh
[ "$*" = "compose version" ] || echo "$*" >>"$CALLS"
"""


class Host:
    """A machine with a docker that writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.compose = folder / "deploy/compose"
        shutil.copytree(FOLDER, self.compose, ignore=shutil.ignore_patterns("files"))
        shutil.copytree(FOLDER / "../../helm/signal-gateway/files", folder / "helm/signal-gateway/files")
        self.files = self.compose / "files"
        self._programs, self._calls = folder / "bin", folder / "calls"
        self._programs.mkdir()
        (self._programs / "docker").write_text(DOCKER)
        (self._programs / "docker").chmod(0o755)

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = os.environ | {"PATH": f"{self._programs}:{os.environ['PATH']}", "CALLS": str(self._calls)}
        command = [str(self.compose / script), *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=30)

    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def env(self) -> dict[str, str]:
        lines = (self.files / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_it_starts_everything_and_waits_until_it_is_healthy(host: Host) -> None:
    ended = host.run("up", "signals.example.com")

    assert ended.returncode == 0, ended.stderr
    [call] = host.calls()
    assert call.endswith(f"--file {host.compose}/compose.yml up --detach --build --wait")
    assert f"--env-file {host.files}/env" in call
    assert "https://signals.example.com" in ended.stdout


def test_it_gives_each_variable_that_the_compose_file_needs(host: Host) -> None:
    host.run("up", "signals.example.com")

    assert required() <= set(host.env())
    assert host.env()["PUBLIC_URL"] == "https://signals.example.com"
    assert host.env()["EDGE_ADDRESS"] == "0.0.0.0"


def test_without_a_domain_it_is_for_this_machine_alone(host: Host) -> None:
    host.run("up")

    assert (host.env()["DOMAIN"], host.env()["EDGE_ADDRESS"]) == ("localhost", "127.0.0.1")


def test_the_second_time_it_keeps_what_is_there_and_takes_a_new_domain(host: Host) -> None:
    host.run("up", "signals.example.com")
    password = (host.files / "grafana-admin.password").read_text()
    (host.files / "signal-gateway.yml").write_text("sources: {}\n")
    with (host.files / "env").open("a") as env:
        env.write("GRAFANA_PORT=3001\n")
    host.run("up")
    kept = host.env()
    host.run("up", "other.example.com")

    assert kept["DOMAIN"] == "signals.example.com"
    assert host.env() == kept | {"DOMAIN": "other.example.com", "PUBLIC_URL": "https://other.example.com"}
    assert host.env()["GRAFANA_PORT"] == "3001"
    assert (host.files / "grafana-admin.password").read_text() == password
    assert (host.files / "signal-gateway.yml").read_text() == "sources: {}\n"


def test_what_is_mounted_makes_a_container_anew_where_it_changed(host: Host) -> None:
    """Docker compose itself does not look into files: a new Caddyfile would be there, and not be in force."""

    def marks() -> dict[str, str]:
        host.run("up")
        services = document(**host.env())["services"]
        return {name: service["labels"]["signal-gateway.mounted"] for name, service in services.items()}

    assert marks() == marks()
    for name, service in document()["services"].items():
        sources = [mount.split(":")[0] for mount in service["volumes"]]
        for file in [host.compose / source for source in sources if source.startswith(".")]:
            before = marks()
            file.write_text(file.read_text() + "\n")
            changed = {one for one, mark in marks().items() if mark != before[one]}

            assert changed == ({"gateway"} if name == "gateway" else before.keys() - {"gateway"}), file


def test_containers_may_read_what_is_mounted_whatever_the_umask_of_the_clone(host: Host) -> None:
    (host.compose / "Caddyfile").chmod(0o600)
    host.run("up")

    assert (host.compose / "Caddyfile").stat().st_mode & 0o777 == 0o644


def test_credentials_are_fresh_long_and_behind_a_folder_for_their_owner_alone(tmp_path: Path) -> None:
    passwords = set()
    for name in "ab":
        (tmp_path / name).mkdir()
        host = Host(tmp_path / name)
        ended = host.run("up")
        password = (host.files / "grafana-admin.password").read_text()
        passwords.add(password)

        assert len(password) == 32
        assert password not in ended.stdout + ended.stderr
        assert host.files.stat().st_mode & 0o777 == 0o700
    assert len(passwords) == 2


@pytest.mark.parametrize("domain", ["https://signals.example.com", "a:8443", "a b", "-a", "$(id)", "a/b"])
def test_what_is_no_name_is_refused_before_anything_is_made(host: Host, domain: str) -> None:
    ended = host.run("up", domain)

    assert ended.returncode == 2
    assert "usage: deploy/compose/up [DOMAIN]" in ended.stderr
    assert not host.files.exists()
    assert host.calls() == []


def test_compose_says_what_to_do_first(host: Host) -> None:
    ended = host.run("compose", "ps")

    assert ended.returncode == 2
    assert "first run deploy/compose/up" in ended.stderr
