"""An alert that names no trade, and the withdrawal of a signal that was not started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marshmallow import fields, validate

from schemas.fields import Instant, Object
from schemas.instrument import Instrument, InstrumentSchema
from schemas.record import RecordSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A message for people or for a strategy that reads texts."""

    message: str | None = None
    instrument: Instrument | None = None
    fired_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class AlertSchema(RecordSchema):
    """Loads an Alert."""

    record = Alert

    message = fields.String()
    instrument = fields.Nested(InstrumentSchema)
    fired_at = Instant()
    extra = Object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Stops the signal with this id where it was not started."""

    signal: str
    reason: str


class WithdrawalSchema(RecordSchema):
    """Loads a Withdrawal."""

    record = Withdrawal

    signal = fields.String(required=True, validate=validate.Length(min=1, max=64))
    reason = fields.String(required=True)
