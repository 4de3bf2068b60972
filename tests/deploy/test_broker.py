"""The broker's files start a real Mosquitto, which lets in whom the gateway gave a login, also while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.config import Folder, load
from gateway.config.bots import put_bot
from gateway.config.initialise import initialise
from gateway.config.mosquitto import write_mosquitto
from tests.brokers import free_port, require
from tests.deploy.compose import FOLDER
from tests.e2e.deployment import until


class Broker:
    """The broker as its container runs it, with its files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self.logins = folder / "logins"
        text = (FOLDER / "mosquitto.conf").read_text()
        for before, after in {
            "listener 1883\n": f"listener {self.port} 127.0.0.1\n",
            "/broker/logins/": f"{self.logins}/",
            "/broker/store/": f"{folder}/store/",
        }.items():
            assert before in text
            text = text.replace(before, after)
        own = "user root\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(text + own)
        (folder / "store").mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        path = f"{Path(require('mosquitto', package='mosquitto')).parent}:{os.environ['PATH']}"
        with (self._folder / "log").open("wb") as log:
            words = ["sh", str(FOLDER / "mosquitto-run"), str(self._folder / "mosquitto.conf"), str(self.logins)]
            self.process = subprocess.Popen(words, stderr=log, env=os.environ | {"PATH": path})
        until(lambda: " running" in (self._folder / "log").read_text())

    def lets_in(self, name: str, password: str) -> bool:
        """Whether a client with this login may subscribe to what is for a bot of this name."""
        program = require("mosquitto_sub", package="mosquitto-clients")
        words = [program, "-h", "127.0.0.1", "-p", str(self.port), "-u", name, "-P", password, "-q", "1", "-E"]
        words += ["-t", f"signals/v1/receipted/{name}"]
        return subprocess.run(words, capture_output=True, check=False, timeout=10).returncode == 0

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=10)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.close()


@pytest.fixture
def add_bot(broker: Broker, tmp_path: Path) -> Callable[[str], str]:
    """Give a bot a login as the gateway's container does; its password."""
    broker.logins.mkdir()
    environ = {"SIGNAL_GATEWAY_BROKER__KIND": "external"}
    environ |= {"SIGNAL_GATEWAY_BROKER__PASSWORD_FILE": str(tmp_path / "data/secrets/gateway-broker.password")}
    environ |= {f"SIGNAL_GATEWAY_MOSQUITTO__{name}": str(broker.logins / file)
                for name, file in (("PASSWORD_FILE", "passwd"), ("ACL_FILE", "acl"))}  # fmt: skip
    folder = Folder(tmp_path / "data", tmp_path / "data/signal-gateway.yml")
    settings = initialise(folder, environ, now=0).settings

    def add(name: str) -> str:
        password = put_bot(folder.bots, name, sources=(), now=0)
        write_mosquitto(load(folder, environ))
        return password

    assert settings.mosquitto is not None
    return add


def test_a_bot_gets_in_with_its_login_and_nobody_without(broker: Broker, add_bot: Callable[[str], str]) -> None:
    password = add_bot("first")
    broker.start()

    assert broker.lets_in("first", password)
    assert not broker.lets_in("first", "wrong")
    assert not broker.lets_in("nobody", password)


def test_a_login_that_is_made_while_it_runs_is_known_within_seconds(
    broker: Broker, add_bot: Callable[[str], str]
) -> None:
    add_bot("first")
    broker.start()
    password = add_bot("second")

    until(lambda: broker.lets_in("second", password), within=10)


def test_it_ends_when_it_is_told_to_and_has_saved_its_store(
    broker: Broker, add_bot: Callable[[str], str], tmp_path: Path
) -> None:
    add_bot("first")
    broker.start()
    assert broker.process is not None
    broker.process.send_signal(signal.SIGTERM)

    assert broker.process.wait(timeout=5) == 0
    assert (tmp_path / "store/mosquitto.db").exists()


def test_its_end_is_the_containers_end(broker: Broker, add_bot: Callable[[str], str]) -> None:
    add_bot("first")
    broker.start()
    assert broker.process is not None
    own = broker.process.pid
    children = map(int, Path(f"/proc/{own}/task/{own}/children").read_text().split())
    [mosquitto] = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "mosquitto"]
    os.kill(mosquitto, signal.SIGKILL)

    assert broker.process.wait(timeout=5) != 0
