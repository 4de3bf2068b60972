"""A receipt: what became of a signal at one bot, and in which of its handlers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from marshmallow import fields, validate

from schemas.fields import Choice, Instant, Name, Number
from schemas.record import Listed, RecordSchema


class Stage(StrEnum):
    """A station of a signal at a bot."""

    RECEIVED = "received"
    STARTED = "started"
    HANDLED = "handled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    EXPIRED = "expired"
    OUT_OF_ORDER = "out_of_order"
    WITHDRAWN = "withdrawn"
    FILLED = "filled"

    @property
    def final(self) -> bool:
        """Whether no later stage but ``filled`` follows."""
        return self not in {Stage.RECEIVED, Stage.STARTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a signal at a bot, keyed by (signal, bot, handler, stage).

    A handler that ends at once sends only its last stage; ``received_at`` and ``started_at`` tell the earlier ones.

    Args:
        signal: the signal's id.
        bot: the bot's name, as in the topic.
        handler: the handler's name; None for what concerns the bot as a whole.
        reason: why, for a person; None where the stage says all.
        duration_ms: how long the handler ran, in milliseconds.
        order_ids: the orders that followed; up to 100, of 64 characters each.
        at: when the stage was reached, by the bot's clock.
        received_at: when the signal reached the bot, by the bot's clock.
        started_at: when the handler was called, by the bot's clock.
    """

    signal: str
    bot: str
    stage: Stage
    at: datetime
    handler: str | None = None
    reason: str | None = None
    duration_ms: float | None = None
    order_ids: tuple[str, ...] = ()
    received_at: datetime | None = None
    started_at: datetime | None = None


class ReceiptSchema(RecordSchema):
    """Loads a Receipt."""

    record = Receipt

    signal = fields.String(required=True, validate=validate.Length(min=1, max=64))
    bot = Name(required=True)
    stage = Choice(Stage, required=True)
    at = Instant(required=True)
    handler = fields.String(validate=validate.Length(min=1, max=256))
    reason = fields.String(validate=validate.Length(max=2000))
    duration_ms = Number(validate=validate.Range(min=0))
    order_ids = Listed(fields.String(validate=validate.Length(max=64)), validate=validate.Length(max=100))
    received_at = Instant()
    started_at = Instant()
