"""What became of orders: facts in any order, also twice, and one verdict. Nothing here knows a market or a clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import StrEnum
from itertools import islice

from schemas.fields import plain_text

_NONE = Decimal(0)
_PRECISION = Context(prec=12)
_NAMED = 3
"""Orders that a verdict names where they ended otherwise than completed."""


class Side(StrEnum):
    """What an order did, as a sentence says it."""

    BUY = "bought"
    SELL = "sold"
    OTHER = "traded"


class How(StrEnum):
    """How an order ended; the first of these counts where markets say several."""

    COMPLETED = "completed"
    CANCELLED = "was cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A part of an order was filled.

    Args:
        key: tells this part from the order's others; the same part may be told twice.
        amount: in the base currency.
        price: in the quote currency.
    """

    order_id: str
    key: str
    side: Side
    pair: str
    amount: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An order is over.

    Args:
        amount: all that was filled, in the base currency, where the market says it.
        quote: what that was in the quote currency.
        why: what the market says of it, in its own words.
    """

    order_id: str
    how: How
    why: str = ""
    side: Side = Side.OTHER
    pair: str = ""
    amount: Decimal = _NONE
    quote: Decimal = _NONE


Fact = Fill | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What was filled, of one order or of several of one pair and side."""

    side: Side
    pair: str
    amount: Decimal
    quote: Decimal

    def describe(self) -> str:
        """``bought 0.1 BTC-USDT at 100.1``; without the price where a market told none."""
        price = f" at {rounded(self.quote / self.amount)}" if self.quote > 0 else ""
        return f"{self.side} {rounded(self.amount)} {self.pair}{price}"


class Order:
    """One order, as far as its market has told."""

    __slots__ = ("_ends", "_fills", "order_id")

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        self._fills: dict[str, Fill] = {}
        self._ends: dict[How, End] = {}

    def hear(self, fact: Fact) -> None:
        """Take what a market says of it."""
        if isinstance(fact, End):
            self._ends[fact.how] = fact
        elif _counts(fact.amount):
            self._fills[fact.key] = fact

    @property
    def how(self) -> How | None:
        """How it ended; None while it is open."""
        return next((how for how in How if how in self._ends), None)

    @property
    def ending(self) -> str:
        """How it ended, with what its market said of that."""
        why = "" if self.how is None else self._ends[self.how].why
        return f"{self.how}: {why}" if why else str(self.how)

    @property
    def filled(self) -> Filled | None:
        """What was filled of it; of parts and a total that was told, whichever is more."""
        parts = sum((fill.amount for fill in self._fills.values()), _NONE)
        total = max(self._ends.values(), key=_amount, default=None)
        if total is not None and _amount(total) > parts:
            return Filled(side=total.side, pair=total.pair, amount=total.amount, quote=_finite(total.quote))
        if not self._fills:
            return None
        first = next(iter(self._fills.values()))
        prices = [fill.amount * fill.price for fill in self._fills.values() if _counts(fill.price)]
        quote = sum(prices, _NONE) if len(prices) == len(self._fills) else _NONE
        return Filled(side=first.side, pair=first.pair, amount=parts, quote=quote)


def verdict(orders: Iterable[Order]) -> str | None:
    """What was filled, in words, where every order is over and at least one was filled; else None."""
    known = list(orders)
    if not all(order.how for order in known):
        return None
    filled = [part for order in known if (part := order.filled) is not None]
    if not filled:
        return None
    return "; ".join([*(part.describe() for part in _together(filled)), *_otherwise(known)])


def unfilled(orders: Iterable[Order]) -> str:
    """How orders ended that did not complete, in words; the first few by name."""
    return "; ".join(_otherwise(orders))


def rounded(number: Decimal) -> str:
    """A number without an exponent or needless zeros, of twelve digits at most."""
    return plain_text(_PRECISION.plus(number).normalize())


def _together(filled: Iterable[Filled]) -> Iterator[Filled]:
    groups: dict[tuple[Side, str], list[Filled]] = {}
    for part in filled:
        groups.setdefault((part.side, part.pair), []).append(part)
    for (side, pair), parts in sorted(groups.items()):
        amount = sum((part.amount for part in parts), _NONE)
        quote = sum((part.quote for part in parts), _NONE) if all(part.quote for part in parts) else _NONE
        yield Filled(side=side, pair=pair, amount=amount, quote=quote)


def _otherwise(orders: Iterable[Order]) -> Iterator[str]:
    """The orders that did not complete; the first few by name."""
    ended = sorted((order.order_id, order.ending) for order in orders if order.how is not How.COMPLETED)
    for order_id, ending in islice(ended, _NAMED):
        yield f"{order_id} {ending}"
    if len(ended) > _NAMED:
        yield f"and {len(ended) - _NAMED} more did not complete"


def _amount(end: End) -> Decimal:
    return end.amount if _counts(end.amount) else _NONE


def _finite(number: Decimal) -> Decimal:
    return number if number.is_finite() else _NONE


def _counts(number: Decimal) -> bool:
    return number.is_finite() and number > 0
