"""The package as a bot's project finds it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import bot_plugin

ROOT = Path(__file__).parents[3]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a folder, with the libraries behind it on the path and no editable install before them."""
    environ = {"PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])}
    command = [sys.executable, "-S", "-c", code]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_a_foreign_schemas_package_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("ours = True")

    result = run("import bot_plugin", tmp_path)

    assert result.returncode == 1
    assert f"hides the one of signal-gateway: {tmp_path}/schemas/__init__.py" in result.stderr
    assert "python -P" in result.stderr


def test_a_foreign_schemas_package_with_an_envelope_of_its_own_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").touch()
    (tmp_path / "schemas" / "envelope.py").touch()

    assert f"{tmp_path}/schemas/__init__.py" in run("import bot_plugin", tmp_path).stderr


def test_a_foreign_schemas_module_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "schemas.py").write_text("")

    assert f"{tmp_path}/schemas.py" in run("import bot_plugin", tmp_path).stderr


def test_a_foreign_schemas_folder_without_an_init_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()

    assert run("import bot_plugin", tmp_path).returncode == 0


def test_the_base_install_is_enough(tmp_path: Path) -> None:
    server = ("aiohttp", "amqtt", "click", "prometheus_client", "structlog", "uvloop", "yaml")
    code = f"import sys\nsys.modules.update(dict.fromkeys({server!r}))\nimport bot_plugin, bot_plugin.testing"

    result = run(code, tmp_path)

    assert result.returncode == 0, result.stderr


def test_the_table_of_contents_is_complete() -> None:
    assert all(hasattr(bot_plugin, name) for name in bot_plugin.__all__)


def test_the_examples_can_be_read() -> None:
    for name in ("print_signals.py", "queue_strategy.py"):
        ast.parse((ROOT / "examples" / name).read_text())
