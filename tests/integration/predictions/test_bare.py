"""A pipeline's environment has none of our libraries, and may have a ``schemas`` of its own."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tests.integration.predictions.stand_in import KEY, StandInGateway

ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio, json, sys
from bot_plugin.predictions import AsyncPredictionClient, PredictionClient, PredictionSettings

settings = PredictionSettings(url=sys.argv[1], source="btc", key=sys.argv[2])

async def main():
    async with AsyncPredictionClient(settings) as client:
        return await client.send(pair="BTC-USDT", probabilities={"long": 1.0}, horizon="1h")

with PredictionClient(settings) as client:
    sent = client.send(pair="BTC-USDT", probabilities={"long": 1.0}, horizon="1h")
foreign = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(json.dumps([sent.outcome, asyncio.run(main()).outcome, sorted(foreign - {"__main__", "bot_plugin"})]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which nothing is installed."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def run(python: Path, code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-c", code, *arguments]
    environ = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_the_standard_library_is_enough_to_send_a_prediction(
    python: Path, gateway: StandInGateway, tmp_path: Path
) -> None:
    """Both clients, in an environment in which nothing is installed; nothing else is imported."""
    done = run(python, PROGRAM, gateway.url, KEY, folder=tmp_path)

    assert done.stderr == ""
    assert done.stdout == '["accepted", "accepted", []]\n'
    assert len(gateway.stored) == 2


def test_a_pipelines_own_schemas_is_in_nobodys_way(python: Path, gateway: StandInGateway, tmp_path: Path) -> None:
    """Only what needs ours complains of it."""
    (tmp_path / "schemas.py").write_text("raise RuntimeError('this is the pipeline own')")

    assert run(python, PROGRAM, gateway.url, KEY, folder=tmp_path).returncode == 0


def test_what_needs_a_library_says_which(python: Path, tmp_path: Path) -> None:
    """The bot's part of the plugin."""
    done = run(python, "from bot_plugin import SignalListener", folder=tmp_path)

    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'marshmallow'"
