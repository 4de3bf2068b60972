"""Hummingbot's payloads, which ``schemas.rpc`` and ``schemas.telemetry`` spell by hand, as schemas to export."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from schemas.fields import Choice, Instant, Number, Object
from schemas.record import Listed, RecordSchema
from schemas.rpc import MAX_TEXT
from schemas.times import Moment
from schemas.topics import Mode
from schemas.trade import Effect, Side, Unit


class RequestHeaderSchema(RecordSchema):
    """What a command says besides its parameters."""

    reply_to = fields.String(validate=validate.Length(max=MAX_TEXT))
    timestamp = Moment(metadata={"description": "When it was written: milliseconds; other units are understood."})
    deadline = Moment(metadata={"description": "Until when it may be run, likewise."})
    msg_id = fields.String(validate=validate.Length(max=MAX_TEXT), metadata={"description": "The call's id."})
    node_id = fields.String(validate=validate.Length(max=MAX_TEXT))
    agent = fields.String(validate=validate.Length(max=MAX_TEXT), metadata={"description": "Who calls."})
    signature = fields.String(metadata={"description": "A compact JWS, HS256, over command.signed."})


class CommandRequestSchema(RecordSchema):
    """A command to a bot."""

    header = fields.Nested(RequestHeaderSchema)
    data = Object(metadata={"description": "The command's parameters."})


class ReplyHeaderSchema(RecordSchema):
    """What a bot says besides its reply."""

    reply_to = fields.String()
    timestamp = Moment(metadata={"description": "When it was written, in milliseconds."})
    content_type = fields.String()
    encoding = fields.String()
    agent = fields.String()


class ReplyDataSchema(RecordSchema):
    """What a bot answers; beside these whatever the command answers: `data`, `trades`, `config`, `changes`."""

    status = fields.Integer(required=True, metadata={"description": "200, or 400 where it was not done."})
    msg = fields.Raw(metadata={"description": "Why; a text of the bot's."})


class CommandReplySchema(RecordSchema):
    """The reply to a command."""

    header = fields.Nested(ReplyHeaderSchema)
    data = fields.Nested(ReplyDataSchema, required=True)


class HeartbeatSchema(Schema):
    """A bot lives; every 10 s."""

    ts = fields.Integer(required=True, metadata={"description": "Microseconds since the epoch, by the bot's clock."})


class StatusUpdateSchema(Schema):
    """A bot comes or goes."""

    timestamp = fields.Integer(required=True, metadata={"description": "Milliseconds since the epoch."})
    type = fields.String(required=True, metadata={"description": "`availability` where it comes or goes."})
    msg = fields.String(required=True, metadata={"description": "`online` or `offline`, for availability."})


class InternalEventSchema(Schema):
    """What happened to an order, by Hummingbot's names."""

    timestamp = fields.Integer(required=True, metadata={"description": "Seconds since the epoch."})
    type = fields.String(required=True, metadata={"description": "Such as `OrderFilled`."})
    data = Object(required=True)


class NotificationSchema(Schema):
    """A text for the bot's owner."""

    seq = fields.Integer(required=True)
    timestamp = fields.String(required=True, metadata={"description": "Milliseconds since the epoch, or -1."})
    msg = fields.String(required=True)


class LogLineSchema(Schema):
    """A line of the bot's log."""

    timestamp = Number(required=True, metadata={"description": "Seconds since the epoch, with a fraction."})
    msg = fields.String(required=True)
    level_no = fields.Integer(required=True, metadata={"description": "As Python's logging has it."})
    level_name = fields.String(required=True)
    logger_name = fields.String(required=True)


class ControllerSchema(Schema):
    """How a controller does; a stopped one has nothing."""

    performance = Object()
    custom_info = Object()


class MlSignalSchema(Schema):
    """What is in force for a pair, as Hummingbot's `ai_livestream` reads it."""

    id = fields.String(required=True, metadata={"description": "The prediction's; a neutral one has one of its own."})
    timestamp = Instant(
        required=True, metadata={"description": "When the model said it, or since when it is neutral, RFC 3339."}
    )
    trading_pair = fields.String(required=True)
    probabilities = Listed(
        Number(validate=validate.Range(min=0, max=1)),
        required=True,
        validate=validate.Length(min=3, max=3),
        metadata={"description": "Short, neutral and long."},
    )
    target_pct = Number(metadata={"description": "The move that it predicts, as a fraction of the price."})


class EventDataSchema(Schema):
    """A trade or an alert as a stock bot gets it; what is not known is left out."""

    type = fields.String(required=True, metadata={"description": "The trade's action, or `alert`."})
    effect = Choice(Effect)
    trading_pair = fields.String()
    instrument = fields.String()
    amount = fields.String(metadata={"description": "An exact decimal."})
    amount_unit = Choice(Unit)
    price = fields.String(metadata={"description": "An exact decimal."})
    target = Choice(Side)
    order_id = fields.String()
    comment = fields.String()
    message = fields.String()
    id = fields.String(required=True, metadata={"description": "The signal's id."})
    source = fields.String(required=True)
    mode = Choice(Mode, required=True)
    time = fields.String(required=True, metadata={"description": "When it was accepted, RFC 3339."})
    expires_at = fields.String(metadata={"description": "When it stops being true, RFC 3339."})


class ExternalEventSchema(Schema):
    """Hummingbot's external event."""

    timestamp = fields.Integer(required=True, metadata={"description": "Seconds since the epoch."})
    sequence = fields.Integer(required=True)
    type = fields.Constant("eevent", required=True)
    data = fields.Nested(EventDataSchema, required=True)
