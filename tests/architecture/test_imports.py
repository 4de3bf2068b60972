"""The import rules bite: what breaks one is named by the linter."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

VIOLATIONS = {
    "schemas/stray_gateway.py": ("import gateway", "The contract is below everything"),
    "bot_plugin/stray_gateway.py": ("import gateway", "The contract is below everything"),
    "gateway/errors/stray_plugin.py": ("import bot_plugin", "The contract is below everything"),
    "gateway/utils.py": ("", "The gateway's road runs one way"),
    "gateway/journal/stray_sibling.py": ("import gateway.mqtt", "The gateway's road runs one way"),
    "gateway/telemetry/stray_upwards.py": ("import gateway.web", "The gateway's road runs one way"),
    "gateway/intake/parse/stray.py": (
        "import gateway.intake.guard",
        "Stations of the intake do not know each other",
    ),
    "schemas/stray_clock.py": ("import time", "The contract is pure"),
    "schemas/stray_socket.py": ("import socket", "The contract is pure"),
    "bot_plugin/stray_aiohttp.py": ("import aiohttp", "The base install is enough for a bot"),
    "gateway/delivery/stray_gmqtt.py": ("import gmqtt", "gmqtt has two doors"),
    "bot_plugin/stray_gmqtt.py": ("import gmqtt", "gmqtt has two doors"),
    "bot_plugin/stray_hummingbot.py": ("import hummingbot", "Hummingbot is touched in one place"),
    "gateway/bots/stray_amqtt.py": ("import amqtt", "amqtt stays behind the gateway's MQTT door"),
    "gateway/delivery/stray_sql.py": ("import sqlite3", "SQL stays in the journal and the bot's memory"),
    "bot_plugin/stray_sql.py": ("import sqlite3", "SQL stays in the journal and the bot's memory"),
    "gateway/web/stray_metrics.py": ("import prometheus_client", "Only telemetry knows Prometheus"),
    "gateway/intake/stray_aiohttp.py": ("import aiohttp", "HTTP is spoken at the listeners only"),
    "gateway/formats/stray_yaml.py": ("import yaml", "Only the configuration reads YAML"),
    "gateway/cli/stray_apprise.py": ("import apprise", "Apprise has one door"),
    "gateway/web/stray_signature.py": ("import standardwebhooks", "Signatures of programs have one door"),
    "bot_plugin/stray_apprise.py": ("import apprise", "The base install is enough for a bot"),
    "gateway/journal/stray_notify.py": ("import gateway.notify", "The gateway's road runs one way"),
    "gateway/web/stray_click.py": ("import click", "Only the command line knows click"),
}


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that the rules name, empty: what is broken there was planted."""
    folder = tmp_path_factory.mktemp("skeleton")
    shutil.copy(ROOT / "pyproject.toml", folder)
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    packages = {"bot_plugin", "schemas"}
    for rule in rules:
        for container in rule.get("containers", []):
            packages |= {f"{container}.{name}" for layer in rule["layers"] for name in re.findall(r"\w+", layer)}
    for package in packages:
        place = folder.joinpath(*package.split("."))
        place.mkdir(parents=True, exist_ok=True)
        for parent in [place, *place.parents]:
            if parent.is_relative_to(folder) and parent != folder:
                (parent / "__init__.py").touch()
    return folder


def broken(folder: Path) -> set[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    run = subprocess.run([*command, "--no-cache", "--no-logo"], cwd=folder, capture_output=True, text=True, check=False)
    assert "Contracts: " in run.stdout, run.stdout + run.stderr
    return {line.removesuffix(" BROKEN") for line in run.stdout.splitlines() if line.endswith(" BROKEN")}


def test_an_empty_skeleton_breaks_no_rule(skeleton: Path) -> None:
    assert broken(skeleton) == set()


@pytest.mark.parametrize(("place", "planted"), VIOLATIONS.items(), ids=VIOLATIONS)
def test_a_planted_violation_breaks_its_rule_and_no_other(skeleton: Path, place: str, planted: tuple[str, str]) -> None:
    text, rule = planted
    module = skeleton / place
    module.write_text(f"{text}\n")
    try:
        assert broken(skeleton) == {rule}
    finally:
        module.unlink()
