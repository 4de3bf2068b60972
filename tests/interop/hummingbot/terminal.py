"""A terminal for a program with a full screen: it shows what the program writes, and types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_WHERE_IS_THE_CURSOR, _THERE = b"\x1b[6n", b"\x1b[1;1R"


class Terminal:
    """A program in a pseudo-terminal of 50 lines with 160 characters each."""

    def __init__(self, command: list[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        self._shown = b""
        self.pid, self._screen = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**os.environ, **environment, "TERM": "xterm"})
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))

    @property
    def text(self) -> str:
        """Everything that was shown so far, without colours and places."""
        return _ESCAPE.sub("", self._shown.decode(errors="replace"))

    def type(self, line: str) -> None:
        os.write(self._screen, f"{line}\r".encode())

    def until(self, condition: Callable[[], object], *, within: float = 30.0) -> None:
        """Show, and return when the condition holds; fail after the deadline (seconds)."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.text[-4000:]
            self._show()

    def ended(self, *, within: float = 30.0) -> int:
        """Show until the program has ended; its exit code."""
        deadline = time.monotonic() + within
        while (said := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            assert time.monotonic() < deadline, self.text[-4000:]
            self._show()
        self.pid = 0
        return os.waitstatus_to_exitcode(said[1])

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._screen)

    def _show(self) -> None:
        if not select.select([self._screen], [], [], 0.05)[0]:
            return
        try:
            new = os.read(self._screen, 65_536)
        except OSError:  # the program has ended
            time.sleep(0.05)
            return
        self._shown += new
        if _WHERE_IS_THE_CURSOR in new:
            os.write(self._screen, _THERE)
