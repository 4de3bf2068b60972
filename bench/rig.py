"""Whole processes to measure: servers, a Mosquitto, the gateway and a bot, on free loopback ports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = ("alpha", "beta", "gamma", "delta")
LUA = Path(__file__).with_name("post.lua")


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], Any], *, within: float = 30.0, every: float = 0.02) -> Any:
    """Wait for a condition and return what it gave; TimeoutError after the deadline in seconds."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s")
        time.sleep(every)
    return found


def program(name: str) -> str:
    """The path of a program.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: apt-get install {name}")
    return found


@contextmanager
def process(*command: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends."""
    with log.open("ab") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(30)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def accepts(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw. Times are milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    non2xx: int
    socket_errors: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def load(port: int, paths: list[str], *, start: int, seconds: float) -> Load:
    """Post distinct bodies for some seconds: one thread, 32 connections."""
    command = [program("wrk"), "-t1", "-c32", f"-d{seconds:g}s", "-s", str(LUA), f"http://127.0.0.1:{port}", "--"]
    done = subprocess.run([*command, str(start), *paths], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return Load(**json.loads(line.removeprefix("RESULT ")))


@contextmanager
def server(name: str, folder: Path) -> Iterator[int]:
    """Run one of ``bench.servers``; its port."""
    port = free_port()
    with process(sys.executable, "-m", "bench.servers", name, str(port), log=folder / f"{name}.log"):
        until(lambda: accepts(port))
        yield port


class Rig:
    """A gateway with everything on, and one bot that sends receipts.

    Args:
        folder: for data and logs.
        embedded: the embedded broker instead of a Mosquitto.
    """

    def __init__(self, folder: Path, *, embedded: bool = False) -> None:
        self.folder = folder
        self.embedded = embedded
        self.data = folder / "data"
        self.public, self.private, self.broker = free_port(), free_port(), free_port()
        self.pid = 0
        self.samples = folder / "samples"
        self._configure()
        made = self._cli("init")
        self.paths = [f"/hooks/{url.partition('/hooks/')[2]}" for url in made["webhooks"].values()]

    def _configure(self) -> None:
        self.data.mkdir(parents=True)
        document: dict[str, Any] = {
            "http": {"public": {"port": self.public}, "private": {"port": self.private}},
            "sources": {source: {"ttl": {"open": "15m"}} for source in SOURCES}
            | {"models": {"type": "prediction", "models": ["lstm"]}},
            "broker": {"kind": "embedded", "port": self.broker},
            "journal": {"max_size": "4GiB"},
            "log": {"format": "json", "level": "info"},
        }
        if not self.embedded:
            secrets = self.data / "secrets"
            secrets.mkdir(mode=0o700)
            (secrets / "gateway-broker.password").write_text("the-bench")
            document["broker"] |= {"kind": "external", "username": "gateway"}
            document["broker"]["password_file"] = "secrets/gateway-broker.password"
            files = {"password_file": str(self.folder / "passwd"), "acl_file": str(self.folder / "acl")}
            document["mosquitto"] = files
            lines = [f"listener {self.broker} 127.0.0.1", "user root", "allow_anonymous false", "log_dest none"]
            lines += [f"{name} {file}" for name, file in files.items()]
            (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        (self.data / "signal-gateway.yml").write_text(json.dumps(document))

    def _cli(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "gateway", *arguments, "--data", str(self.data), "--json"]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def rotate(self, source: str) -> str:
        """Give a source of predictions a new token."""
        return str(self._cli("keys", "rotate", source)["token"])

    @contextmanager
    def mosquitto(self) -> Iterator[None]:
        """Run the broker, where it is not embedded."""
        if self.embedded:
            yield
            return
        with process(program("mosquitto"), "-c", str(self.folder / "mosquitto.conf"), log=self.folder / "broker.log"):
            until(lambda: accepts(self.broker))
            yield

    @contextmanager
    def gateway(self) -> Iterator[None]:
        """Run the gateway."""
        command = [sys.executable, "-m", "gateway", "run", "--data", str(self.data)]
        with process(*command, log=self.folder / "gateway.log") as running:
            self.pid = running.pid
            until(lambda: accepts(self.private))
            yield

    @contextmanager
    def bot(self) -> Iterator[None]:
        """Run the bot until the block ends; it writes a latency for each signal into ``samples``."""
        self.samples.write_bytes(b"")
        listening = self.folder / "listening"
        listening.unlink(missing_ok=True)
        command = [sys.executable, "-m", "bench.bot", str(self.samples), str(listening)]
        environment = {
            "SIGNAL_GATEWAY_ENV_FILE": str(self.data / "bots" / "demo.env"),
            "SIGNAL_GATEWAY_STATE_DIR": str(self.folder / "state"),
        }
        with process(*command, log=self.folder / "bot.log", **environment):
            until(listening.exists)
            yield

    @contextmanager
    def running(self) -> Iterator[Rig]:
        """Run all three."""
        with self.mosquitto(), self.gateway(), self.bot():
            until(lambda: self.metric("signal_gateway_broker_connected") == 1)
            yield self

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.private}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        starts = (f"{name}{{", f"{name} ")
        chosen = [line for line in lines if line.startswith(starts) and all(want in line for want in wanted)]
        return sum(float(line.rpartition(" ")[2]) for line in chosen)

    def until_empty(self, *, within: float) -> None:
        """Wait until nothing waits in the outbox; TimeoutError after the deadline in seconds.

        Reading the metrics costs the gateway about as much as 40 signals, so it is not asked too often.
        """
        until(lambda: self.metric("signal_gateway_outbox_depth") == 0, within=within, every=0.2)

    @property
    def memory(self) -> float:
        """The gateway's resident memory in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
        raise ProcessLookupError(self.pid)
