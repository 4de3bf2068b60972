"""The orders that followed one signal in one handler, and that they were filled: told by a strategy, on any thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock

log = logging.getLogger("bot_plugin.orders")

MOST = 100
"""Orders of one signal that a handler's receipts name."""

_LONGEST = 64
"""Characters of an order's id."""


class Following:
    """What a strategy told of its orders, once each.

    Args:
        told: is called after each change, on the thread that told it.
        ids: those that an earlier process was told of.
    """

    __slots__ = ("_lock", "_told", "ids", "reason")

    def __init__(self, told: Callable[[], None], *, ids: tuple[str, ...] = ()) -> None:
        self._told, self._lock = told, Lock()
        self.ids = ids
        self.reason: str | None = None
        """How the orders were filled; None while they are not."""

    def placed(self, order_id: str) -> None:
        """Note an order, unless it is known."""
        id_ = str(order_id)[:_LONGEST].encode(errors="replace").decode()
        with self._lock:
            if not id_ or id_ in self.ids:
                return
            full = len(self.ids) >= MOST
            if not full:
                self.ids = (*self.ids, id_)
        if full:
            log.warning("order %s is in no receipt: %d orders of its signal are there already", id_, MOST)
        else:
            self._told()

    def filled(self, reason: str) -> None:
        """Note, the first time, that the orders were filled."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = str(reason)
        self._told()
