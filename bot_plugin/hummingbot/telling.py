"""What Hummingbot says goes to telemetry, each once: the stock bridge may tell it too, and comes and goes."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import RLock

Tell = Callable[[], object]

MOST = 1_000
"""What may wait for the stock bridge to connect; beyond it the oldest is told."""


class Doubles:
    """What the stock bridge has too: left to it while it is connected, told by the plugin where it never was.

    A bridge takes messages while it is not connected yet, and loses them where it is stopped before.

    Args:
        bridge: the one that is there, connected or not; None where none is.
        connected: whether that is connected.
    """

    def __init__(self, bridge: Callable[[], object | None], connected: Callable[[], bool]) -> None:
        self._bridge, self._connected = bridge, connected
        self._lock = RLock()  # what is told may log
        self._waiting: deque[tuple[object, Tell]] = deque()

    def put(self, tell: Tell) -> None:
        """Take what the bridge that is there has too; from any thread."""
        if self._connected():
            return
        with self._lock:
            self._waiting.append((self._bridge(), tell))
            late = self._waiting.popleft() if len(self._waiting) > MOST else None
        if late is not None:
            late[1]()

    def settle(self) -> None:
        """Forget what a connected bridge sends, and tell what one had that is gone."""
        with self._lock:
            bridge, connected = self._bridge(), self._connected()
            waiting = list(self._waiting)
            self._waiting = deque(each for each in waiting if each[0] is bridge and not connected)
        for had, tell in waiting:
            if had is not bridge:
                tell()


class LogRelay(logging.Handler):
    """Forwards the log lines that the stock bridge does not have.

    Args:
        forward: takes a line.
        is_doubled: whether the stock bridge has it.
        doubles: takes what it has.
    """

    def __init__(
        self, forward: logging.Handler, is_doubled: Callable[[logging.LogRecord], bool], doubles: Doubles
    ) -> None:
        super().__init__()
        self._forward, self._is_doubled, self._doubles = forward, is_doubled, doubles

    def handle(self, record: logging.LogRecord) -> bool:
        """Forward a line, without the lock that logging gives each handler, as telemetry's own handler does."""
        if self._is_doubled(record):
            self._doubles.put(partial(self._forward.handle, record))
            return True
        return bool(self._forward.handle(record))


class Notifier:
    """What Hummingbot calls a notifier: it takes what is shown to the user, in all versions' spellings.

    Args:
        tell: takes a text.
        on_start: is called as a strategy is started from the terminal, when Hummingbot has set up its logging anew.
    """

    def __init__(self, tell: Callable[[str], None], on_start: Callable[[], None]) -> None:
        self._tell, self._on_start = tell, on_start

    def add_message_to_queue(self, message: str) -> None:
        """Tell a text."""
        self._tell(message)

    add_msg_to_queue = add_message_to_queue

    def start(self) -> None:
        """Begin: it tells at any time."""
        self._on_start()

    def stop(self) -> None:
        """End: what is said afterwards is told still."""
