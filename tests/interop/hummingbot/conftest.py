"""The real Hummingbot on a broker, both of the test's own, started and stopped by it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot_plugin.client import ClientSettings, SyncBotClient
from tests.brokers import Mosquitto
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.home import Home, make_keys

HERE = Path(__file__).parent
BOT = "bot1"
STARTS_WITHIN = 60.0
"""Seconds until a Hummingbot that was started sends its first heartbeat; it takes five."""

MakeHome = Callable[[Path], Home]


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has Hummingbot; ``make test-more`` sees to it."""
    said = subprocess.run([HERE / "setup", "--where"], capture_output=True, text=True, check=True)
    folder = Path(said.stdout.strip())
    installed = folder / "installed.txt"
    if not installed.exists() or installed.read_text() != (HERE / "requirements.txt").read_text():
        pytest.skip(f"Hummingbot is not installed ({HERE / 'setup'} {Path('.venv/bin/python')})")
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def make_home(python: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeHome:
    """Make a folder for a Hummingbot, with the exchange, its key and the password."""
    keys = make_keys(tmp_path_factory.mktemp("keys"), python, scratch=tmp_path_factory.mktemp("scratch") / "home")

    def make(folder: Path) -> Home:
        home = Home(folder, python)
        home.settle(keys)
        return home

    return make


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="module")
def hummingbot(
    make_home: MakeHome, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hummingbot]:
    """A stock bot without a strategy."""
    home = make_home(tmp_path_factory.mktemp("hummingbot") / "home")
    home.configure(BOT, broker.port)
    bot = Hummingbot(home)
    bot.start()
    try:
        wait_alive(bot, broker)
        yield bot
    finally:
        bot.kill()


@pytest.fixture
def settings(broker: Mosquitto, hummingbot: Hummingbot) -> ClientSettings:
    return settings_of(broker)


def settings_of(broker: Mosquitto) -> ClientSettings:
    return ClientSettings(host=broker.host, port=broker.port, name="desk")


def wait_alive(bot: Hummingbot, broker: Mosquitto, *, name: str = BOT) -> None:
    """Return when the bot has sent a heartbeat."""
    with SyncBotClient(settings_of(broker)) as client:
        assert client.wait_alive(name, within=STARTS_WITHIN).alive, tail(bot)
