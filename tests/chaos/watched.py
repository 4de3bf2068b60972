"""A process that is killed, paused and started again, and that is started again also where it ends by itself."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path


class Watched:
    """One place in the deployment and the processes that fill it one after another.

    Args:
        spawn: starts a process, and does not wait for it.
    """

    def __init__(self, name: str, spawn: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.name = name
        self._spawn = spawn
        self._process: subprocess.Popen[bytes] | None = None
        self.kills = 0
        self.exits: list[int] = []

    def start(self) -> None:
        """Start it, where it does not run."""
        if self._process is None:
            self._process = self._spawn()

    def kill(self) -> None:
        """End it with SIGKILL; it stays away until ``start``."""
        if self._process is not None:
            self.kills += 1
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it where it is."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def ended(self) -> int | None:
        """The exit code of a process that ended by itself, once; the place is empty then."""
        if self._process is None or (code := self._process.poll()) is None:
            return None
        self._process = None
        self.exits.append(code)
        return code

    @property
    def memory(self) -> tuple[int, float] | None:
        """The process id and its resident memory in MB; None where no process is."""
        if self._process is None:
            return None
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return None
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                return self._process.pid, int(line.split()[1]) / 1000
        return None

    def _send(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
