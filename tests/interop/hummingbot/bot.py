"""A Hummingbot process in a home of its own, and what it says of itself to the test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.docs.markdown import ROOT
from tests.interop.hummingbot.home import PASSWORD, Home

RUN = Path(__file__).with_name("run_bot.py")
PLUGIN = "bot_plugin.hummingbot"


class Hummingbot:
    """The real application, headless.

    Args:
        home: where it lives; it is to be configured before the start.
        strategy: a V2 script's configuration that it starts by itself.
        plugin: "" for a stock bot, which has no way to ours; "path" for one that can import it, as a script does that
            wants it; "attach" to attach it to the application; "launcher" to start by our command.
        calls: MODULE:FUNCTION each, called with the application.
    """

    def __init__(self, home: Home, *, strategy: str = "", plugin: str = "", calls: tuple[str, ...] = ()) -> None:
        self.home, self.plugin = home, plugin
        self.log = home.folder / "bot.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = dict(home.environment)
        if plugin:
            self._environment["PYTHONPATH"] += f"{os.pathsep}{ROOT}"
        self._command = [str(home.python), "-m", PLUGIN, "--headless"]
        if plugin == "launcher":
            self._environment["CONFIG_PASSWORD"] = PASSWORD
            self._command += ["--v2", strategy] if strategy else []
            return
        self._command = [str(home.python), str(RUN), *(f"--call={call}" for call in calls), "--call=probe:serve"]
        self._command += [f"--call={PLUGIN}:attach"] if plugin == "attach" else []
        self._command += ["--strategy", strategy] if strategy else []

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        (self.home.folder / "probe.port").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=self.home.folder, env={**os.environ, **self._environment}
            )

    def state(self) -> dict[str, Any]:
        """What the application itself says of its state (probe.py); {} where it does not say anything yet."""
        port = self.home.folder / "probe.port"
        if not port.exists() or not port.read_text():
            assert self.runs, self.log.read_text()[-4000:]
            return {}
        with closing(socket.create_connection(("127.0.0.1", int(port.read_text())), timeout=10)) as connection:
            text = connection.makefile().read()
        return json.loads(text)

    def trades(self) -> bool:
        """Whether a strategy runs in it, and every exchange that it trades on is ready."""
        state = self.state()
        return bool(state.get("connectors")) and all(one["ready"] for one in state["connectors"].values())

    def end(self, number: int = signal.SIGTERM, *, within: float = 30.0) -> int:
        """Send a signal, and say how the process ended (seconds)."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=within)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def tail(bot: Hummingbot, *, lines: int = 60) -> str:
    """The end of its log, for a message of a test that failed."""
    return "\n".join(bot.log.read_text().splitlines()[-lines:])
