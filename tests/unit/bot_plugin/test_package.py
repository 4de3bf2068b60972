"""The package as a bot's project finds it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import bot_plugin

ROOT = Path(__file__).parents[3]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a folder, with the libraries behind it on the path and no editable install before them."""
    environ = {"PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])}
    command = [sys.executable, "-S", "-c", code]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


DOORS = (
    "from bot_plugin import SignalListener",
    "import bot_plugin.client",
    "import bot_plugin.hummingbot",
    "import bot_plugin.testing",
)


@pytest.mark.parametrize("door", DOORS)
def test_a_foreign_schemas_package_is_named_with_the_cure_at_every_door(door: str, tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("ours = True")

    result = run(door, tmp_path)

    assert result.returncode == 1
    assert f"hides the one of signal-gateway: {tmp_path}/schemas/__init__.py" in result.stderr
    assert "python -P" in result.stderr


def test_a_foreign_schemas_package_with_an_envelope_of_its_own_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").touch()
    (tmp_path / "schemas" / "envelope.py").touch()

    assert f"{tmp_path}/schemas/__init__.py" in run(DOORS[0], tmp_path).stderr


def test_a_foreign_schemas_module_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "schemas.py").write_text("")

    assert f"{tmp_path}/schemas.py" in run(DOORS[0], tmp_path).stderr


def test_a_foreign_schemas_folder_without_an_init_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()

    assert run(DOORS[0], tmp_path).returncode == 0


def test_the_base_install_is_enough(tmp_path: Path) -> None:
    server = ("aiohttp", "amqtt", "click", "prometheus_client", "structlog", "uvloop", "yaml")
    hidden = f"import sys\nsys.modules.update(dict.fromkeys({server!r}))"
    code = f"{hidden}\nfrom bot_plugin import *\nimport bot_plugin.testing"

    result = run(code, tmp_path)

    assert result.returncode == 0, result.stderr


def test_a_library_that_is_missing_is_named_and_nobodys_schemas(tmp_path: Path) -> None:
    """Where ``schemas`` is ours and marshmallow is not there, Python's own error says so."""
    result = run("import sys\nsys.modules['marshmallow'] = None\nfrom bot_plugin import SignalListener", tmp_path)

    assert "marshmallow" in result.stderr.splitlines()[-1]
    assert "hides" not in result.stderr


def test_the_table_of_contents_is_complete() -> None:
    """Every name is found where the table says, and the table has no other."""
    assert all(getattr(bot_plugin, name).__name__ == name for name in bot_plugin.__all__)
    assert set(bot_plugin._HOMES) == set(bot_plugin.__all__)
    assert not hasattr(bot_plugin, "SignalListner")


def test_importing_the_package_alone_imports_no_library(tmp_path: Path) -> None:
    """A pipeline that only sends predictions has none of them."""
    code = "import sys, bot_plugin\nprint({'gmqtt', 'jwt', 'marshmallow', 'schemas'} & set(sys.modules))"

    assert run(code, tmp_path).stdout == "set()\n"


def test_the_examples_can_be_read() -> None:
    for name in ("print_signals.py", "queue_strategy.py"):
        ast.parse((ROOT / "examples" / name).read_text())
