"""Real brokers for tests: Mosquitto on a free loopback port, and a proxy that can hold and cut connections."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

REQUIRE_ALL = "SIGNAL_GATEWAY_TEST_REQUIRE_ALL"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
_DEADLINE = 10.0


def require(program: str, *, package: str) -> str:
    """The path of a program that a test needs; skips without it, or fails where nothing may be missing."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        message = f"{program} is not installed (apt-get install {package})"
        pytest.fail(message) if os.environ.get(REQUIRE_ALL) else pytest.skip(message)
    return found


_PORTS = 22_000
_ports = count(secrets.randbelow(_PORTS))


def free_port() -> int:
    """A loopback port that nobody listens on, and that no outgoing connection takes before its server has it.

    This process asks for each once, in a row of its own: another one beside it hardly has the same at the same time.
    """
    while True:
        port = 10_000 + next(_ports) % _PORTS
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


async def eventually(condition: Callable[[], object], *, within: float = 5.0) -> None:
    """Return when the condition holds; fail after the deadline (seconds)."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.005)


class Mosquitto:
    """A Mosquitto process. Stopped, killed and started again, it keeps its port and, where it has one, its store.

    Args:
        users: names and passwords.
        anonymous: whether clients without a name are let in; None for whether there are no users.
        acl: the lines of an acl_file; None to allow everything.
        options: further lines of the configuration.
        persistent: whether it keeps sessions and retained messages on disk, as Debian's configuration does.
        log: the kinds of message that it writes down.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str] | None = None,
        anonymous: bool | None = None,
        acl: str | None = None,
        options: tuple[str, ...] = (),
        persistent: bool = False,
        log: tuple[str, ...] = ("all",),
    ) -> None:
        self._program = require("mosquitto", package="mosquitto")
        self._folder = folder
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        lines = [f"listener {self.port} {self.host}", f"log_dest file {self.log}", *options]
        lines += [f"log_type {kind}" for kind in log]
        lines += self._users(users) if users else []
        lines.append(f"allow_anonymous {str(not users if anonymous is None else anonymous).lower()}")
        if os.geteuid() == 0:
            lines.append("user root")  # it would become a user who may not read pytest's folders
        if acl is not None:
            lines.append(f"acl_file {self._file('acl', acl)}")
        lines += [f"persistence {str(persistent).lower()}", f"persistence_location {folder}/"]
        self._configuration = self._file("mosquitto.conf", "\n".join(lines) + "\n")

    def _users(self, users: dict[str, str]) -> list[str]:
        passwords = self._file("passwords", "".join(f"{name}:{secret}\n" for name, secret in users.items()))
        subprocess.run([require("mosquitto_passwd", package="mosquitto"), "-U", passwords], check=True)
        return [f"password_file {passwords}"]

    def _file(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start a process, and do not wait for it."""
        self._process = subprocess.Popen(
            [self._program, "-c", self._configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return self._process

    def start(self) -> None:
        """Start, and return when it accepts connections."""
        process = self.spawn()
        deadline = time.monotonic() + _DEADLINE
        while not self._accepts():
            if process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text() if self.log.exists() else "nothing in its log"
                pytest.fail(f"mosquitto did not start: {said}")
            time.sleep(0.005)

    def _accepts(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End it as an operator does."""
        self._end(lambda process: process.terminate())

    def reload(self) -> None:
        """Make it read its password and ACL files again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(lambda process: process.kill())

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        if self._process is not None:
            how(self._process)
            try:
                self._process.wait(_DEADLINE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


MosquittoFactory = Callable[..., Mosquitto]


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MosquittoFactory]:
    """Make and start a Mosquitto; see the class for its arguments."""
    made: list[Mosquitto] = []

    def make(**arguments: object) -> Mosquitto:
        broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"), **arguments)  # type: ignore[arg-type]
        made.append(broker)
        broker.start()
        return broker

    yield make
    for broker in made:
        broker.kill()


class Proxy:
    """Between a client and a broker: holds what the broker says, or all that is said, or cuts every connection."""

    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        self._behind = port
        self._speaks, self._hears = asyncio.Event(), asyncio.Event()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.restore()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def hold(self) -> None:
        """Keep back what the broker says from now on."""
        self._speaks.clear()

    def stall(self) -> None:
        """Keep back what either side says from now on; new connections are taken, and hear nothing."""
        self._speaks.clear()
        self._hears.clear()

    def reset(self) -> None:
        """End every connection, with what was held; new ones are served."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        self._speaks.set()
        self._hears.set()

    def cut(self) -> None:
        """End every connection, with what was held, and refuse new ones until ``restore``."""
        self._refuses = True
        self.reset()

    def restore(self) -> None:
        """Let clients connect again, and both sides be heard."""
        self._refuses = False
        self._speaks.set()
        self._hears.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            behind_reader, behind = await asyncio.open_connection(self.host, self._behind)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, behind}
        for pipe in (
            self._pipe(reader, behind, gate=self._hears),
            self._pipe(behind_reader, writer, gate=self._speaks),
        ):
            task = asyncio.create_task(pipe)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, gate: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await gate.wait()
                if writer.is_closing():
                    break
                writer.write(data)
                await writer.drain()
        writer.close()
        self._writers.discard(writer)
