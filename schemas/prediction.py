"""A model's prediction: of which model, for what and until when, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from marshmallow import fields, validate

from schemas.fields import ExactDecimal, Flag, Instant, Number, Object, exact
from schemas.instrument import Instrument, InstrumentSchema
from schemas.record import RecordSchema
from schemas.trade import Indicator

SUM_TOLERANCE = 0.01
"""How far from 1 probabilities may sum: models round."""

_ROUNDING = 1e-9
_MAX_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Who predicts; ``version`` tells one training from the next, None where the sender did not say."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        """For a person: ``btc-lstm 7``."""
        return f"{self.name} {self.version}" if self.version else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """How likely each direction is; they sum to 1, so that a class which a model does not have is 0."""

    short: float = 0.0
    neutral: float = 0.0
    long: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One predicted number and what it is, such as ``return`` or ``close``."""

    name: str
    value: Decimal | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A prediction: probabilities, a value or quantiles, or several of them.

    Args:
        horizon: seconds from ``observed_at`` for which it predicts.
        quantiles: values by their level, ``0.05`` to ``0.95`` for example.
        confidence: 0 to 1, by the sender's own measure.
        outlier: whether the input was unlike what the model was trained on; None where the sender did not say.
        target_pct: how far the price moves, up or down, as a fraction of it: above 0.
        observed_at: the close of the last candle that the model saw.
        produced_at: when the model said it, by the sender's clock.
        valid_until: when it stops being true.
        features: what the model was given, as far as the sender tells.
    """

    model: Model
    instrument: Instrument
    horizon: float | None = None
    probabilities: Probabilities | None = None
    value: Value | None = None
    quantiles: Mapping[str, Decimal | float] = field(default_factory=dict)
    confidence: float | None = None
    outlier: bool | None = None
    target_pct: Decimal | None = None
    observed_at: datetime | None = None
    produced_at: datetime | None = None
    valid_until: datetime | None = None
    features: Mapping[str, Decimal | float] = field(default_factory=dict)
    idempotency_key: str | None = None


_named = validate.Length(min=1, max=_MAX_NAME, error="must have {min} to {max} characters")
_unit = validate.Range(min=0, max=1, error="must be a number from {min} to {max}")


class ModelSchema(RecordSchema):
    """Loads a Model."""

    record = Model

    name = fields.String(required=True, validate=_named)
    version = fields.String(validate=_named)


class ProbabilitiesSchema(RecordSchema):
    """Loads Probabilities."""

    record = Probabilities

    short = Number(validate=_unit)
    neutral = Number(validate=_unit)
    long = Number(validate=_unit)

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """They sum to 1 within 0.01."""
        total = sum(values.values())
        if abs(total - 1) <= SUM_TOLERANCE + _ROUNDING:
            return {}
        return {"_schema": [f"sum to {total:g}; short, neutral and long must sum to 1 within {SUM_TOLERANCE:g}"]}


class ValueSchema(RecordSchema):
    """Loads a Value."""

    record = Value

    name = fields.String(required=True, validate=_named)
    value = Indicator(required=True)


class PredictionSchema(RecordSchema):
    """Loads a Prediction."""

    record = Prediction

    model = fields.Nested(ModelSchema, required=True)
    instrument = fields.Nested(InstrumentSchema, required=True)
    horizon = Number(validate=validate.Range(min=0, min_inclusive=False, error="must be a number of seconds above 0"))
    probabilities = fields.Nested(ProbabilitiesSchema)
    value = fields.Nested(ValueSchema)
    quantiles = Object(values=Indicator())
    confidence = Number(validate=_unit)
    outlier = Flag()
    target_pct = ExactDecimal(validate=validate.Range(min=Decimal(0), min_inclusive=False, error="must be above 0"))
    observed_at = Instant()
    produced_at = Instant()
    valid_until = Instant()
    features = Object(values=Indicator())
    idempotency_key = fields.String(validate=validate.Length(min=1, max=256))

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """It has probabilities, value or quantiles, the latter between 0 and 1 and not crossing, and was true once."""
        if not any(values.get(name) for name in ("probabilities", "value", "quantiles")):
            return {"probabilities": ["is missing, and so are value and quantiles: a prediction says one of them"]}
        if problem := _quantiles(values.get("quantiles") or {}):
            return {"quantiles": [problem]}
        produced_at, valid_until = values.get("produced_at"), values.get("valid_until")
        if produced_at is not None and valid_until is not None and valid_until < produced_at:
            return {"valid_until": ["is before produced_at: the prediction was never true"]}
        return {}


def _quantiles(quantiles: Mapping[str, Decimal | float]) -> str | None:
    """Say what is wrong with quantiles that are numbers one by one; None where nothing is."""
    levels: dict[Decimal, Decimal | float] = {}
    for text, value in quantiles.items():
        level = _level(text)
        if level is None or not 0 < level < 1:
            return f"have the level {text[:80]!r}; a level lies between 0 and 1, such as 0.05"
        if level in levels:
            return f"have the level {text[:80]!r} twice"
        levels[level] = value
    ascending = [levels[level] for level in sorted(levels)]
    if any(lower > upper for lower, upper in pairwise(ascending)):
        return "cross: the value of a higher level is never lower"
    return None


def _level(text: str) -> Decimal | None:
    try:
        return exact(text)
    except ValueError:
        return None
