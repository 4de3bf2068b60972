"""A gateway process and bot processes around a broker, with their data in one folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.brokers import Mosquitto, free_port

BOT = Path(__file__).with_name("recording_bot.py")
_WITHIN = 20.0


def until(condition: Callable[[], object], *, within: float = _WITHIN) -> Any:
    """Wait for a condition and return what it gave; fail after the deadline (seconds)."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)
    return found


def spawn(command: list[str], *, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a process that writes into a file."""
    with log.open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})


class Deployment:
    """One gateway, its broker, and its bots.

    Args:
        folder: everything is below it.
        sources: the sources' settings by name.
        external: make a Mosquitto with the permissions that ``signal-gateway`` writes; else the embedded broker.
        settings: more top-level sections of the configuration.
        mosquitto: what its Mosquitto is given besides; see the class.
        bot: the bots' program.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sources: Mapping[str, Any],
        external: bool,
        settings: Mapping[str, Any] | None = None,
        mosquitto: Mapping[str, Any] | None = None,
        bot: Path = BOT,
    ) -> None:
        self.folder = folder
        self._bot_program = bot
        self.data = folder / "data"
        self.public, self.private = free_port(), free_port()
        self.mosquitto: Mosquitto | None = None
        self.broker_port = free_port()
        self._gateway: subprocess.Popen[bytes] | None = None
        self._bots: list[subprocess.Popen[bytes]] = []
        if external:
            self._make_mosquitto(mosquitto or {})
        self.data.mkdir()
        document = self._document(sources) | dict(settings or {})
        (self.data / "signal-gateway.yml").write_text(json.dumps(document))
        if external:
            (self.data / "secrets").mkdir(mode=0o700)
            (self.data / "secrets" / "gateway-broker.password").write_text("a-password-of-the-gateway")
        self.webhooks: dict[str, str] = self.cli("init", "--json")["webhooks"]

    def _make_mosquitto(self, more: Mapping[str, Any]) -> None:
        folder = self.folder / "mosquitto"
        folder.mkdir()
        options = (f"password_file {folder}/passwd", f"acl_file {folder}/acl")
        self.mosquitto = Mosquitto(folder, **({"options": options, "anonymous": False} | dict(more)))
        self.broker_port = self.mosquitto.port

    def _document(self, sources: Mapping[str, Any]) -> dict[str, Any]:
        broker: dict[str, Any] = {"kind": "embedded", "port": self.broker_port}
        document: dict[str, Any] = {
            "http": {"public": {"port": self.public}, "private": {"port": self.private}},
            "sources": dict(sources),
            "log": {"format": "json"},
        }
        if self.mosquitto is not None:
            broker |= {"kind": "external", "host": "127.0.0.1", "username": "gateway"}
            broker["password_file"] = "secrets/gateway-broker.password"
            folder = self.folder / "mosquitto"
            document["mosquitto"] = {"password_file": f"{folder}/passwd", "acl_file": f"{folder}/acl"}
        return document | {"broker": broker}

    def start(self) -> None:
        """Start the broker and the gateway, and return when it accepts signals and has its broker."""
        if self.mosquitto is not None:
            self.mosquitto.start()
        self.start_gateway()

    def start_gateway(self) -> None:
        """Start the gateway alone."""
        self.spawn_gateway()
        until(self.ready)

    def spawn_gateway(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a gateway's process, and do not wait for it."""
        command = [sys.executable, "-m", "gateway", "run", "--data", str(self.data)]
        self._gateway = spawn(command, log=self.folder / "gateway.log", **environment)
        return self._gateway

    def ready(self) -> bool:
        """Whether the gateway accepts signals and has its broker."""
        assert self._gateway is not None
        assert self._gateway.poll() is None, (self.folder / "gateway.log").read_text()[-4000:]
        with suppress(OSError):
            status = self.api("status")
            return bool(status["ready"] and status["broker"]["connected"])
        return False

    def stop_gateway(self, number: int = signal.SIGTERM) -> int:
        """End the gateway, and say how it ended."""
        assert self._gateway is not None
        self._gateway.send_signal(number)
        return self._gateway.wait(timeout=30)

    @property
    def gateway_pid(self) -> int:
        """The gateway's process id."""
        assert self._gateway is not None
        return self._gateway.pid

    def cli(self, *arguments: str, code: int = 0, stdin: bytes | None = None) -> Any:
        """Run a command of signal-gateway; its JSON where it printed any."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments, "--data", str(self.data)],
            input=stdin, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout.decode() + done.stderr.decode()
        return json.loads(done.stdout or done.stderr or b"null")

    def api(self, path: str) -> Any:
        """Get something from the private API."""
        token = (self.data / "secrets" / "api.token").read_text().strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.private}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.private}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name}{{", f"{name} ")) and all(want in line for want in wanted)
        )

    def post(self, source: str, body: bytes | str) -> tuple[int, Any]:
        """Post an alert as TradingView does; the status and the answer."""
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request(self.webhooks[source], data=data, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def start_bot(self, name: str, *, sources: str = "", **options: str) -> Bot:
        """Start a recording bot and return when the broker has its subscriptions."""
        self.add_bot(name, sources=sources)
        bot = self.spawn_bot(name, **options)
        until(bot.listening)
        return bot

    def add_bot(self, name: str, *, sources: str = "") -> None:
        """Give a bot a login, unless it has one."""
        environment = self._environment(name)
        if not environment.exists():
            self.cli("bots", "add", name, "--sources", sources, "--env-file", str(environment), "--json")
            if self.mosquitto is not None:
                self.mosquitto.reload()

    def login(self, name: str) -> dict[str, str]:
        """The login of a bot, as its environment file has it."""
        lines = self._environment(name).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def spawn_bot(self, name: str, **options: str) -> Bot:
        """Start a process of a bot that has a login, and do not wait for it."""
        record = self.folder / f"{name}.jsonl"
        record.touch()
        log = self.folder / f"{name}.log"
        environment = {
            "SIGNAL_GATEWAY_ENV_FILE": str(self._environment(name)),
            "SIGNAL_GATEWAY_STATE_DIR": str(self.folder / f"{name}.state"),
        }
        process = spawn([sys.executable, str(self._bot_program), str(record)], log=log, **environment | options)
        self._bots.append(process)
        return Bot(record, process, log)

    def _environment(self, name: str) -> Path:
        return self.folder / f"{name}.env"

    def close(self) -> None:
        """End every process."""
        for process in (*self._bots, self._gateway):
            if process is not None and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self.mosquitto is not None:
            self.mosquitto.stop()


class Bot:
    """A recording bot's process, and what it wrote down."""

    def __init__(self, record: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.record = record
        self.process = process
        self._log = log

    def listening(self) -> bool:
        """Whether it listens."""
        assert self.process.poll() is None, self._log.read_text()[-4000:]
        return any(entry.get("listening") == self.process.pid for entry in self.entries())

    def entries(self) -> Iterator[dict[str, Any]]:
        """All that it wrote down, in order."""
        for line in self.record.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)

    def handled(self) -> list[dict[str, Any]]:
        """The signals that its callbacks saw, in order."""
        return [entry for entry in self.entries() if "id" in entry]
