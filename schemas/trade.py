"""A trade signal: what to do with which instrument, and all that the sender said about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marshmallow import fields, validate

from schemas.fields import Choice, ExactDecimal, Flag, Instant, Object, is_number
from schemas.instrument import Instrument, InstrumentSchema
from schemas.record import Listed, RecordSchema


class Action(StrEnum):
    """What the sender asks for."""

    BUY = "buy"
    SELL = "sell"
    CLOSE = "close"
    CANCEL = "cancel"


class Effect(StrEnum):
    """What the action does to the position: a lost reduce is the worst that can happen, a late open the second."""

    OPEN = "open"
    REDUCE = "reduce"
    UNKNOWN = "unknown"


class Side(StrEnum):
    """A position's side."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


class Unit(StrEnum):
    """What a quantity counts."""

    BASE = "base"
    QUOTE = "quote"
    CONTRACTS = "contracts"
    PERCENT = "percent"
    RISK_PERCENT = "risk_percent"


class OrderType(StrEnum):
    """How to execute."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """How much; ``unit`` is ``contracts`` where the sender did not say what it counts."""

    value: Decimal
    unit: Unit = Unit.CONTRACTS

    def __str__(self) -> str:
        """For a person: ``0.5 contracts``."""
        return f"{self.value} {self.unit.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How the sender wants it done. Prices are in the quote currency."""

    type: OrderType | None = None
    quantity: Quantity | None = None
    price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: tuple[Decimal, ...] = ()
    trailing: Decimal | None = None
    leverage: Decimal | None = None
    reduce_only: bool | None = None
    id: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The sender's position: ``target`` after the order, ``previous`` before it. Sizes are never negative."""

    target: Side | None = None
    size: Decimal | None = None
    previous: Side | None = None
    previous_size: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The bar that fired; ``interval`` as the chart spells it (``5``, ``60``, ``1D``)."""

    interval: str | None = None
    opened_at: datetime | None = None
    open: Decimal | None = None
    high: Decimal | None = None
    low: Decimal | None = None
    close: Decimal | None = None
    volume: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A trade signal. Absent is None, never 0 and never the empty text.

    Args:
        action: what to do.
        effect: what the gateway made of action and position.
        fired_at: when the sender fired it, by the sender's clock.
        extra: every key that was not recognised, with its value as JSON.
        inferred: the fields that the gateway worked out instead of reading.
    """

    action: Action
    instrument: Instrument
    effect: Effect = Effect.UNKNOWN
    position: Position | None = None
    order: Order | None = None
    bar: Bar | None = None
    fired_at: datetime | None = None
    strategy: str | None = None
    account: str | None = None
    indicators: Mapping[str, Decimal | float] = field(default_factory=dict)
    message: str | None = None
    idempotency_key: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    inferred: tuple[str, ...] = ()


def contradiction(action: Action, target: Side | None, previous: Side | None = None) -> str | None:
    """Say why an action cannot lead to the target position; None where it can.

    A buy never leads to a short unless the position was a larger short (a partial cover), a sell never to a long
    unless it was a larger long; a close leads to flat.
    """
    if target is None or action is Action.CANCEL:
        return None
    if action is Action.BUY and target is Side.SHORT and previous is not Side.SHORT:
        return "a buy cannot lead to a short position"
    if action is Action.SELL and target is Side.LONG and previous is not Side.LONG:
        return "a sell cannot lead to a long position"
    if action is Action.CLOSE and target is not Side.FLAT:
        return f"a close cannot lead to a {target} position"
    return None


_positive = validate.Range(min=Decimal(0), min_inclusive=False)
_not_negative = validate.Range(min=Decimal(0))


class QuantitySchema(RecordSchema):
    """Loads a Quantity."""

    record = Quantity

    value = ExactDecimal(required=True, validate=_positive)
    unit = Choice(Unit)


class OrderSchema(RecordSchema):
    """Loads an Order."""

    record = Order

    type = Choice(OrderType)
    quantity = fields.Nested(QuantitySchema)
    price = ExactDecimal()
    stop_loss = ExactDecimal()
    take_profit = Listed(ExactDecimal())
    trailing = ExactDecimal(validate=_positive)
    leverage = ExactDecimal(validate=_positive)
    reduce_only = Flag()
    id = fields.String()
    comment = fields.String()


class PositionSchema(RecordSchema):
    """Loads a Position."""

    record = Position

    target = Choice(Side)
    size = ExactDecimal(validate=_not_negative)
    previous = Choice(Side)
    previous_size = ExactDecimal(validate=_not_negative)


class BarSchema(RecordSchema):
    """Loads a Bar."""

    record = Bar

    interval = fields.String()
    opened_at = Instant()
    open = ExactDecimal()
    high = ExactDecimal()
    low = ExactDecimal()
    close = ExactDecimal()
    volume = ExactDecimal()


class Indicator(ExactDecimal):
    """A number or an exact decimal as a string."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if is_number(value):
            return value
        return super()._deserialize(value, attr, data, **kwargs)


class TradeSchema(RecordSchema):
    """Loads a Trade."""

    record = Trade

    action = Choice(Action, required=True)
    instrument = fields.Nested(InstrumentSchema, required=True)
    effect = Choice(Effect)
    position = fields.Nested(PositionSchema)
    order = fields.Nested(OrderSchema)
    bar = fields.Nested(BarSchema)
    fired_at = Instant()
    strategy = fields.String()
    account = fields.String()
    indicators = Object(values=Indicator())
    message = fields.String()
    idempotency_key = fields.String(validate=validate.Length(min=1, max=256))
    extra = Object()
    inferred = Listed(fields.String())

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """An action that contradicts the target position is refused: a buy leads to no short, a close to flat only."""
        position = values.get("position")
        if position is None:
            return {}
        problem = contradiction(values["action"], position.target, position.previous)
        return {"action": [problem]} if problem else {}
