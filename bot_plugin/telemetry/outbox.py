"""What waits to be told: filled from any thread, never waiting, bounded, the oldest dropped first and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import RLock
from typing import Any

from schemas.telemetry import Performance, write

LIMIT = 1_000
"""Messages of one channel that wait."""

SIZE = 1_048_576
"""Bytes of one channel's messages that wait."""

LARGEST = 131_072
"""Bytes of one message: the gateway's embedded broker cuts clients off that send packets of twice that."""

_QUEUED = ("events", "notify", "log")
_KINDS = {"log": "log line", "events": "event", "notify": "notification", "performance": "snapshot"}

Dropped = dict[str, int]
"""How many messages were dropped, by channel."""


class Outbox:
    """What waits, by channel.

    Args:
        limit: messages of a channel.
        size: bytes of a channel.
        largest: bytes of a message.
    """

    def __init__(self, *, limit: int = LIMIT, size: int = SIZE, largest: int = LARGEST) -> None:
        self._limit, self._size, self._largest = limit, size, largest
        self._lock = RLock()  # a log line may be written while this very thread is in here: by a finaliser, for one
        self._waiting: dict[str, deque[bytes]] = {channel: deque() for channel in _QUEUED}
        self._sizes = dict.fromkeys(_QUEUED, 0)
        self._dropped = dict.fromkeys(_KINDS, 0)
        self._performance: dict[str, Mapping[str, Any]] = {}
        self._wake: Callable[[], object] | None = None

    def __bool__(self) -> bool:
        with self._lock:
            return bool(self._performance) or any(self._waiting.values()) or any(self._dropped.values())

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._waiting.values())) + bool(self._performance)

    def put(self, channel: str, payload: bytes) -> None:
        """Let a message wait, in place of the oldest of its channel where there are too many."""
        with self._lock:
            if len(payload) > self._largest:
                self._dropped[channel] += 1
                return
            waiting = self._waiting[channel]
            waiting.append(payload)
            self._sizes[channel] += len(payload)
            while len(waiting) > self._limit or self._sizes[channel] > self._size:
                self._sizes[channel] -= len(waiting.popleft())
                self._dropped[channel] += 1
            self._wake_up()

    def put_performance(self, controllers: Mapping[str, Mapping[str, Any]]) -> None:
        """Let snapshots wait, in place of older ones of the same controllers.

        Raises:
            ValueError: they are larger than a message may be.
        """
        with self._lock:
            together = {**self._performance, **controllers}
            if len(write(Performance(controllers=together))) > self._largest:
                raise ValueError(f"the controllers' snapshots have more than {self._largest:,} bytes")
            self._performance = together
            self._wake_up()

    def take(self, channel: str) -> bytes | None:
        """The oldest message of a channel; None where there is none."""
        with self._lock:
            if channel == "performance":
                controllers, self._performance = self._performance, {}
                return write(Performance(controllers=controllers)) if controllers else None
            if not self._waiting[channel]:
                return None
            payload = self._waiting[channel].popleft()
            self._sizes[channel] -= len(payload)
            return payload

    def put_back(self, channel: str, payload: bytes) -> None:
        """Let a message that was taken be the next again; of snapshots there will be newer ones."""
        if channel in self._waiting:
            with self._lock:
                self._waiting[channel].appendleft(payload)
                self._sizes[channel] += len(payload)

    def drop(self, channel: str) -> None:
        """Count a message that cannot be sent."""
        with self._lock:
            self._dropped[channel] += 1

    def drop_waiting(self) -> None:
        """Drop, and count, all that waits."""
        with self._lock:
            for channel, waiting in self._waiting.items():
                self._dropped[channel] += len(waiting)
                self._sizes[channel] = 0
                waiting.clear()
            self._performance = {}

    def take_dropped(self) -> Dropped:
        """What was dropped since the last call."""
        with self._lock:
            dropped = {channel: count for channel, count in self._dropped.items() if count}
            self._dropped = dict.fromkeys(_KINDS, 0)
            return dropped

    def wake(self, how: Callable[[], object] | None) -> None:
        """Call this once, from whichever thread, when the next message comes."""
        with self._lock:
            self._wake = how

    def _wake_up(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            with suppress(RuntimeError):  # its loop has ended
                wake()


def in_words(dropped: Dropped) -> str:
    """``3,201 log lines and 1 event were dropped: ...``."""
    together = " and ".join(_counted(dropped))
    verb = "was" if sum(dropped.values()) == 1 else "were"
    return f"{together} {verb} dropped: more than could be sent, or kept while the broker was away"


def _counted(dropped: Dropped) -> Iterator[str]:
    for channel, kind in _KINDS.items():
        if count := dropped.get(channel):
            yield f"{count:,} {kind}{'' if count == 1 else 's'}"
