"""What the embedded broker keeps: messages for clients that are away, and retained messages, each within bounds."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from schemas.fields import instant


def expiry(payload: bytes | bytearray) -> float:
    """When an envelope stops being true, in seconds since the epoch; never for what says nothing of it."""
    try:
        document = json.loads(payload)
        return instant(document["expirytime"]).timestamp()
    except (ValueError, TypeError, LookupError, RecursionError):
        return math.inf


class Kept(asyncio.Queue[Any]):
    """The messages for one absent client. What is expired leaves when room is needed.

    What finds no room is not kept, nor anything that comes behind it: what is handed over has no gap, and a bot that
    gets the rest from the gateway again gets it in its order.

    Args:
        most: messages.
        most_bytes: their payloads and topics together.
        now: seconds since the epoch.
    """

    def __init__(self, *, most: int, most_bytes: int, now: Callable[[], float] = time.time) -> None:
        self._most, self._most_bytes, self._now = most, most_bytes, now
        self._full = False
        super().__init__()

    async def put(self, item: Any) -> None:
        """Keep a message, where there is room and was room for those before it."""
        size = _size(item.topic, item.data)
        if self._first_expiry <= self._now() and not self._has_room(size):
            self._drop_expired()
        self._full = self._full or not self._has_room(size)
        if not self._full:
            self.put_nowait((expiry(item.data), size, item))

    def take(self) -> list[Any]:
        """All messages that are still true, in their order; nothing is kept any more."""
        now, entries = self._now(), list(self._queue)
        self._init(0)
        self._full = False
        return [item for expires, _, item in entries if expires > now]

    def _has_room(self, size: int) -> bool:
        return len(self._queue) < self._most and self._bytes + size <= self._most_bytes

    def _drop_expired(self) -> None:
        now, entries = self._now(), list(self._queue)
        self._init(0)
        for entry in entries:
            if entry[0] > now:
                self._put(entry)

    def _init(self, maxsize: int) -> None:  # noqa: ARG002
        self._queue: deque[tuple[float, int, Any]] = deque()
        self._bytes = 0
        self._first_expiry = math.inf
        """No later than the first expiry of what is here."""

    def _put(self, item: tuple[float, int, Any]) -> None:
        self._queue.append(item)
        self._bytes += item[1]
        self._first_expiry = min(self._first_expiry, item[0])

    def _get(self) -> Any:
        _, size, item = self._queue.popleft()
        self._bytes -= size
        return item


class Allotment:
    """How much each login has retained.

    Args:
        most: messages of one login.
        most_bytes: their payloads and topics together.
        total_bytes: those of all logins.
    """

    def __init__(self, *, most: int, most_bytes: int, total_bytes: int) -> None:
        self._most, self._most_bytes, self._total_bytes = most, most_bytes, total_bytes
        self._held: dict[str, tuple[str, int]] = {}
        self._messages: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._all_bytes = 0

    def take(self, username: str, topic: str, data: bytes | bytearray, *, bounded: bool = True) -> bool:
        """Count a message of a login in place of what its topic had, and say so; or leave all as it was."""
        size = _size(topic, data)
        before = self._held.get(topic)
        self.release(topic)
        if bounded and not self._fits(username, size):
            if before is not None:
                self._add(topic, *before)
            return False
        self._add(topic, username, size)
        return True

    def release(self, topic: str) -> None:
        """A topic has no message any more."""
        username, size = self._held.pop(topic, ("", 0))
        if size:
            self._messages[username] -= 1
            self._bytes[username] -= size
            self._all_bytes -= size

    def _fits(self, username: str, size: int) -> bool:
        return (
            self._messages[username] < self._most
            and self._bytes[username] + size <= self._most_bytes
            and self._all_bytes + size <= self._total_bytes
        )

    def _add(self, topic: str, username: str, size: int) -> None:
        self._held[topic] = username, size
        self._messages[username] += 1
        self._bytes[username] += size
        self._all_bytes += size


def _size(topic: str, data: bytes | bytearray) -> int:
    return len(topic) + len(data)
