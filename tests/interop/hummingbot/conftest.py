"""The real Hummingbot on a Mosquitto, both of the test's own, started and stopped by it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot_plugin.client import ClientSettings, SyncBotClient
from tests.brokers import Mosquitto

HERE = Path(__file__).parent
BOT = "bot1"
STARTS_WITHIN = 60.0
"""Seconds until a Hummingbot that was started sends its first heartbeat; it takes five."""


class Hummingbot:
    """A Hummingbot process, which writes into a folder of its own."""

    def __init__(self, python: Path, folder: Path, *, port: int, strategy: str = "") -> None:
        self.log = folder / "bot.log"
        self._command = [python, HERE / "run_bot.py", folder / "home", BOT, str(port)]
        self._command += ["--strategy", strategy] if strategy else []
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter that has Hummingbot; ``make test-more`` sees to it."""
    said = subprocess.run([HERE / "setup", "--where"], capture_output=True, text=True, check=True)
    folder = Path(said.stdout.strip())
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != (HERE / "requirements.txt").read_text():
        pytest.skip(f"Hummingbot is not installed ({HERE / 'setup'} {Path('.venv/bin/python')})")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="module")
def hummingbot(python: Path, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hummingbot]:
    bot = Hummingbot(python, tmp_path_factory.mktemp("hummingbot"), port=broker.port)
    bot.start()
    try:
        with SyncBotClient(settings_of(broker)) as client:
            alive = client.wait_alive(BOT, within=STARTS_WITHIN).alive
        assert alive, bot.log.read_text()
        yield bot
    finally:
        bot.kill()


@pytest.fixture
def settings(broker: Mosquitto, hummingbot: Hummingbot) -> ClientSettings:
    return settings_of(broker)


def settings_of(broker: Mosquitto) -> ClientSettings:
    return ClientSettings(host=broker.host, port=broker.port, name="desk")
