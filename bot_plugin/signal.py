"""A signal as a strategy sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from schemas.alert import Alert
from schemas.fields import to_micros
from schemas.instrument import Instrument
from schemas.topics import Mode
from schemas.trade import Action, Quantity, Trade


class Orders(Protocol):
    """Where a strategy tells of the orders that followed a signal; on any thread."""

    def placed(self, order_id: str) -> None:
        """An order followed."""
        ...

    def filled(self, reason: str) -> None:
        """The orders were filled."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One signal, validated. Times are aware UTC datetimes.

    Args:
        id: the id that follows the signal through its whole life.
        source: the name of its source, ``btc-breakout``.
        mode: what it is for.
        body: what it says.
        key: the partition key; signals with one key arrive in order, one at a time.
        sequence: grows within a key.
        previous: the sequence of the signal before it on its topic; None for the first.
        time: when the gateway accepted it.
        expires_at: when it stops being true; no handler is called past it.
        received_at: when it reached this bot, by the bot's clock.
        possible_duplicate_of: the id of an earlier signal with an equal body, where the gateway was not sure.
        deadline: when it expires by the monotonic clock, fixed as it arrived: a clock that is set back changes nothing.
        now: the bot's clock, or the gateway's where that is known to be later, microseconds since the epoch.
        monotonic: the clock that nobody sets, microseconds.
        orders: where the handler that got it tells of its orders; None before it is a handler's.
    """

    id: str
    source: str
    mode: Mode
    body: Trade | Alert
    key: str
    sequence: int
    time: datetime
    expires_at: datetime
    received_at: datetime
    previous: int | None = None
    possible_duplicate_of: str | None = None
    deadline: int = field(repr=False, compare=False)
    now: Callable[[], int] = field(repr=False, compare=False)
    monotonic: Callable[[], int] = field(repr=False, compare=False)
    orders: Orders | None = field(default=None, repr=False, compare=False)

    def placed(self, order_id: str) -> None:
        """Say that an order followed, in the callback or later, on any thread: this handler's receipts name it.

        Args:
            order_id: the bot's own id of the order, up to 64 characters; 100 orders at most.
        """
        if self.orders is not None:
            self.orders.placed(order_id)

    def filled(self, reason: str) -> None:
        """Say, once, that the orders which followed were filled, on any thread: a receipt tells it after all others.

        Args:
            reason: how much, at what price, in words.
        """
        if self.orders is not None:
            self.orders.filled(reason)

    @property
    def remaining(self) -> float:
        """Seconds until it expires, by the clock that says so first; negative past that."""
        return min(to_micros(self.expires_at) - self.now(), self.deadline - self.monotonic()) / 1_000_000

    @property
    def instrument(self) -> Instrument | None:
        """What it is about; None for an alert that names nothing."""
        return self.body.instrument

    @property
    def pair(self) -> str | None:
        """The pair as Hummingbot spells it, ``BTC-USDT``; None where unknown."""
        return self.body.instrument.pair if self.body.instrument else None

    @property
    def action(self) -> Action | None:
        """What a trade asks for; None for an alert."""
        return self.body.action if isinstance(self.body, Trade) else None

    @property
    def quantity(self) -> Quantity | None:
        """How much a trade asks for; None where it does not say."""
        return self.body.order.quantity if isinstance(self.body, Trade) and self.body.order else None

    @property
    def message(self) -> str | None:
        """The sender's text."""
        return self.body.message
