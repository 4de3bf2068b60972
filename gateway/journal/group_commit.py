"""Many calls, one commit: what is asked for while the event loop turns is stored together, on the loop's own thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from gateway.errors import NotStored

PATIENCE = 0.005
"""Seconds that what is not urgent waits for something urgent to ride along with."""

TURNS = 3
"""Turns of the loop for which a commit waits at most, and only while more comes in."""

MOST = 256
"""Calls in one commit, so that no commit blocks the loop for long."""

Call = TypeVar("Call")


class GroupCommit(Generic[Call]):
    """Collects calls and hands them, many at a time, to ``commit``.

    Args:
        commit: stores all of them and returns what each call returns, or the exception that it raises.
    """

    def __init__(self, commit: Callable[[Sequence[Call]], list[Any]]) -> None:
        self._commit = commit
        self._pending: list[tuple[Call, asyncio.Future[Any]]] = []
        self._gathering = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def call(self, call: Call, *, urgent: bool) -> asyncio.Future[Any]:
        """A future of what ``commit`` says of the call, after it was stored.

        Raises:
            gateway.errors.NotStored: the journal was closed.
        """
        if self._closed:
            raise NotStored("stopping", "The gateway is stopping; send it again when it is back.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._pending.append((call, future))
        if urgent and not self._gathering:
            self._gathering = True
            loop.call_soon(self._gather, 0, 0)
        elif self._timer is None and not self._gathering:
            self._timer = loop.call_later(PATIENCE, self.flush)
        return future

    def _gather(self, seen: int, turns: int) -> None:
        """Wait another turn of the loop while more calls come in; then store them."""
        if turns < TURNS and seen < len(self._pending) < MOST:
            asyncio.get_running_loop().call_soon(self._gather, len(self._pending), turns + 1)
            return
        self._gathering = False
        self.flush()

    def flush(self) -> None:
        """Store up to ``MOST`` of what is pending, now, and the rest in the next turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._pending = self._pending[:MOST], self._pending[MOST:]
        if batch:
            _resolve(batch, self._commit([call for call, _ in batch]))
        if self._pending and not self._gathering:
            self._gathering = True
            asyncio.get_running_loop().call_soon(self._gather, 0, TURNS)

    def close(self) -> None:
        """Store what is pending and take no more."""
        self._closed = True
        while self._pending:
            self.flush()


def _resolve(batch: Sequence[tuple[Any, asyncio.Future[Any]]], results: Sequence[Any]) -> None:
    for (_, future), result in zip(batch, results, strict=True):
        if future.done():  # its caller went away; what it asked for is stored all the same
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
