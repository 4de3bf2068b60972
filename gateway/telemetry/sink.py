"""Where log lines leave the process: on a thread of their own, so that a full or broken pipe stops nobody."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque

_MOST = 20_000
"""Lines that wait at most; what does not fit is dropped and counted."""

_GATHER = 0.02
"""Seconds in which lines are gathered into one write: a thread that wakes for each line would take the interpreter
lock from the event loop each time."""


class LineSink:
    """Writes lines to a file descriptor. ``write`` never waits and never raises."""

    def __init__(self, fd: int) -> None:
        self.dropped = 0
        self._fd = fd
        self._lines: deque[str] = deque()
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, line: str) -> None:
        """Take one line, without its newline; from any thread."""
        if len(self._lines) >= _MOST:
            self.dropped += 1
            return
        self._lines.append(line)
        if not self._wanted.is_set():
            self._wanted.set()

    def close(self, *, timeout: float = 1.0) -> None:
        """Write what waits, for at most ``timeout`` seconds."""
        atexit.unregister(self.close)
        self._closing = True
        self._wanted.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._closing or self._lines:
            self._wanted.wait()
            if not self._closing:
                time.sleep(_GATHER)
            self._wanted.clear()
            if self._closing:
                self._wanted.set()
            self._drain()

    def _drain(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if lines:
            data = ("\n".join(lines) + "\n").encode(errors="backslashreplace")
            self.dropped += 0 if self._put(data) else len(lines)

    def _put(self, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                time.sleep(_GATHER)
                if self._closing:
                    return False
            except OSError:
                return False
        return True
