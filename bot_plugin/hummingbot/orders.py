"""The orders that followed signals: hears what markets say of them, and tells the signals."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from weakref import WeakValueDictionary

from bot_plugin.hummingbot.fills import Fact, Order, unfilled, verdict
from bot_plugin.signal import Signal

log = logging.getLogger("bot_plugin.hummingbot.orders")


class SignalOrders:
    """The orders of one signal in one handler. ``filled`` is told once; orders that come later are the next signal's.

    Args:
        signal: is told of each order, and once that they are filled.
    """

    __slots__ = ("__weakref__", "_all_placed", "_holds", "_lost", "_placing", "orders", "signal", "told")

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.orders: dict[str, Order] = {}
        self.told = False
        self._holds = self._lost = 0
        self._placing: set[str] = set()
        self._all_placed = asyncio.Event()

    @property
    def over(self) -> bool:
        """Whether nothing more is expected of its orders as they are."""
        return self.told or (not self._holds and all(order.how for order in self.orders.values()))

    def hold(self) -> None:
        """Wait with ``filled``: further orders may follow, until ``release``."""
        self._holds += 1

    def release(self) -> None:
        """End one ``hold``."""
        self._holds -= 1
        self.decide()

    def placing(self, executor_id: str) -> None:
        """An executor is about to place an order, until ``placed``."""
        self._placing.add(executor_id)
        self._all_placed.clear()

    def placed(self, executor_id: str) -> None:
        """The executor has placed one, or will not."""
        self._placing.discard(executor_id)
        if not self._placing:
            self._all_placed.set()

    async def all_placed(self, *, within: float) -> None:
        """Return when every executor has placed an order, or after a time (seconds)."""
        if self._placing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_placed.wait(), within)

    def decide(self) -> None:
        """Tell ``filled`` where every order is over, something was filled, and nothing more may follow."""
        if self.told or self._holds:
            return
        reason = verdict(self.orders.values())
        if reason is not None:
            self.told = True
            self.signal.filled(reason)
        elif self.over and len(self.orders) > self._lost:
            self._lost = len(self.orders)
            log.warning("signal %s: nothing was filled: %s", self.signal.id, unfilled(self.orders.values()))


class _Tracked:
    """An order and the signals that it followed."""

    __slots__ = ("followings", "order")

    def __init__(self, order_id: str) -> None:
        self.order = Order(order_id)
        self.followings: list[SignalOrders] = []

    @property
    def over(self) -> bool:
        return all(following.over for following in self.followings)


class OrderWatch:
    """Which orders followed which signals. Everything is called in the loop of the markets.

    A market may tell of an order before it is followed, as it fills a market order at once; so what is told of orders
    that nobody follows is remembered for a while.

    Args:
        limit: orders of signals that are open at most; the oldest are given up, and the log says so.
        memory: orders that nobody follows, or that are over, whose facts are remembered.
    """

    def __init__(self, *, limit: int = 10_000, memory: int = 1_000) -> None:
        self._limit, self._memory = limit, memory
        self._open: OrderedDict[str, _Tracked] = OrderedDict()
        self._rest: OrderedDict[str, _Tracked] = OrderedDict()
        self._followings: WeakValueDictionary[int, SignalOrders] = WeakValueDictionary()
        self._told: deque[SignalOrders] = deque(maxlen=memory)

    def __len__(self) -> int:
        """How many orders it remembers."""
        return len(self._open) + len(self._rest)

    def follow(self, signal: Signal, order_id: str) -> None:
        """Say that an order followed a signal: its receipts name it, and it is awaited for ``filled``.

        An order that follows after ``filled`` was told changes nothing any more.
        """
        following = self.following(signal)
        if not order_id or following.told or order_id in following.orders:
            return
        signal.placed(order_id)
        tracked = self._tracked(order_id)
        tracked.followings.append(following)
        following.orders[order_id] = tracked.order
        self._put(tracked)
        following.decide()
        self._sort(following)

    @contextmanager
    def holding(self, signal: Signal) -> Iterator[SignalOrders]:
        """Wait with ``filled`` while the block lasts: a callback may place several orders."""
        following = self.following(signal)
        following.hold()
        try:
            yield following
        finally:
            following.release()
            self._sort(following)

    def following(self, signal: Signal) -> SignalOrders:
        """The orders of a signal. One signal object is one handler's: two handlers have each their own."""
        following = self._followings.get(id(signal))
        if following is None:
            following = self._followings[id(signal)] = SignalOrders(signal)
        return following

    def release(self, following: SignalOrders) -> None:
        """End one hold, and tell what is due."""
        following.release()
        self._sort(following)

    def hear(self, fact: Fact) -> None:
        """Take what a market says of an order."""
        tracked = self._tracked(fact.order_id)
        tracked.order.hear(fact)
        self._put(tracked)
        for following in tuple(tracked.followings):
            following.decide()
            self._sort(following)

    def _tracked(self, order_id: str) -> _Tracked:
        return self._known(order_id) or _Tracked(order_id)

    def _known(self, order_id: str) -> _Tracked | None:
        return self._open.get(order_id) or self._rest.get(order_id)

    def _sort(self, following: SignalOrders) -> None:
        """Put each of its orders where it belongs by now."""
        for order_id in following.orders:
            if (tracked := self._known(order_id)) is not None:
                self._put(tracked)
        if following.told and following not in self._told:
            self._told.append(following)

    def _put(self, tracked: _Tracked) -> None:
        tracked.followings = [following for following in tracked.followings if not following.told]
        order_id = tracked.order.order_id
        to, other = (self._rest, self._open) if tracked.over else (self._open, self._rest)
        other.pop(order_id, None)
        to.setdefault(order_id, tracked)
        while len(self._rest) > self._memory:
            self._rest.popitem(last=False)
        while len(self._open) > self._limit:
            given_up, _ = self._open.popitem(last=False)
            log.warning("order %s is followed no more: %s newer ones of signals are open", given_up, self._limit)
