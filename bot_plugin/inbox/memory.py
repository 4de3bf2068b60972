"""The ids that a bot knows, in memory; and the inbox of a bot that wants no other."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable

from bot_plugin.errors import InboxFull
from bot_plugin.inbox.model import KEEP_AFTER_EXPIRY, Arrival, Recovered, Tell
from schemas.fields import to_micros
from schemas.receipt import Receipt

LIMIT = 50_000


def system_monotonic() -> int:
    """This machine's clock that nobody sets, in microseconds."""
    return time.monotonic_ns() // 1000


class Ids:
    """Ids with their final receipts, each until its time, which a clock tells that nobody sets.

    Where there is no room for a new one, those past their expiry go before their hour is over, and no others.

    Args:
        limit: ids that are kept at most; past it only those of signals that nothing is to run, up to twice as many.
        monotonic: microseconds.
    """

    def __init__(self, *, limit: int, monotonic: Callable[[], int]) -> None:
        self._limit, self._monotonic = limit, monotonic
        self._receipts: dict[str, tuple[Receipt, ...]] = {}
        self._ends: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._receipts)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._receipts

    def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of an id."""
        return self._receipts.get(id_, ())

    def keep(self, id_: str, *, for_: int, receipts: tuple[Receipt, ...] = ()) -> None:
        """Remember an id for so many microseconds."""
        self._receipts[id_] = receipts
        heapq.heappush(self._ends, (self._monotonic() + for_, id_))

    def room(self, *, to_run: bool) -> list[str]:
        """Make room for a new id, and say which were forgotten for it.

        Raises:
            InboxFull: none may be.
        """
        limit = self._limit if to_run else 2 * self._limit
        if len(self._receipts) < limit:
            return []
        forgotten = self._forget(before=self._monotonic() + KEEP_AFTER_EXPIRY, most=1)
        if not forgotten:
            raise InboxFull(f"inbox full: {limit} signals are remembered, and none of them has expired")
        return forgotten

    def finish(self, receipt: Receipt) -> None:
        """Remember a final receipt of an id that is known."""
        self._receipts[receipt.signal] += (receipt,)

    def prune(self) -> list[str]:
        """Forget ids past their time, and say which."""
        return self._forget(before=self._monotonic(), most=len(self._ends))

    def _forget(self, *, before: int, most: int) -> list[str]:
        forgotten: list[str] = []
        while len(forgotten) < most and self._ends and self._ends[0][0] <= before:
            id_ = heapq.heappop(self._ends)[1]
            del self._receipts[id_]
            forgotten.append(id_)
        return forgotten


class MemoryInbox:
    """The Inbox of a bot without a state folder: it forgets everything at exit.

    Args:
        limit: ids that are kept at most; past it only those of signals that nothing is to run, up to twice as many.
        monotonic: a clock that nobody sets, microseconds.
    """

    durable = False

    def __init__(self, *, limit: int = LIMIT, monotonic: Callable[[], int] = system_monotonic) -> None:
        self._ids = Ids(limit=limit, monotonic=monotonic)

    def __len__(self) -> int:
        return len(self._ids)

    async def open(self) -> Recovered:
        """Nothing was left."""
        return Recovered()

    def arrive(self, arrival: Arrival) -> bool:
        """Remember an id; False where it is known."""
        if arrival.id in self._ids:
            return False
        self._ids.room(to_run=bool(arrival.handlers))
        self._ids.keep(arrival.id, for_=arrival.forget_at - arrival.received_at)
        return True

    def start(self, id_: str, handler: str, *, at: int) -> None:
        """A process that ends forgets all, so that there is nothing to remember."""

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        """As ``start``."""

    def put_back(self, id_: str, handler: str) -> None:
        """As ``start``."""

    def placed(self, id_: str, handler: str, orders: tuple[str, ...]) -> None:
        """As ``start``."""

    def finish(self, receipt: Receipt) -> None:
        """Remember a final receipt."""
        if receipt.signal in self._ids:
            self._ids.finish(receipt)

    def receipts(self, id_: str) -> tuple[Receipt, ...]:
        """The final receipts of a signal."""
        return self._ids.receipts(id_)

    def withdraw(self, receipt: Receipt, *, forget_at: int) -> bool:
        """Remember an id that never arrived as withdrawn."""
        if receipt.signal in self._ids:
            return False
        self._ids.room(to_run=False)
        self._ids.keep(receipt.signal, for_=forget_at - to_micros(receipt.at), receipts=(receipt,))
        return True

    def confirm(self, receipts: Iterable[Receipt]) -> None:
        """Receipts that are owed are kept by whoever sends them."""

    def prune(self) -> int:
        """Forget ids past their time."""
        return len(self._ids.prune())

    async def stored(self) -> None:
        """There is nothing to wait for."""

    def when_stored(self, tell: Tell) -> None:
        """It is."""
        tell(None)

    async def close(self) -> None:
        """Nothing is pending."""
