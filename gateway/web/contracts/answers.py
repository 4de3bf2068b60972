"""The answers of the listeners as schemas: what ``views`` and ``bot_views`` show, told to programs."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from gateway.bots.calls import Outcome
from gateway.bots.liveness import State
from gateway.journal.model import Station
from schemas.fields import Choice, Flag, Instant, Number, Object
from schemas.receipt import ReceiptSchema
from schemas.record import Listed
from schemas.topics import Mode
from schemas.trade import Effect


def _told(description: str) -> dict[str, str]:
    return {"description": description}


def _one_of(*words: str) -> fields.String:
    return fields.String(required=True, validate=validate.OneOf([str(word) for word in words]))


class FaultSchema(Schema):
    """One thing that is wrong."""

    where = fields.String(required=True, metadata=_told("The field as a path; empty for the body as a whole."))
    problem = fields.String(required=True)
    found = fields.String(metadata=_told("The offending text, at most 80 characters."))
    cause = fields.String(required=True, metadata=_told("The likely cause and what to do; empty where none is known."))
    line = fields.Integer()
    column = fields.Integer()


class ProblemSchema(Schema):
    """What went wrong, as RFC 9457 has it; `code` is stable."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String()
    code = fields.String(required=True)
    errors = Listed(fields.Nested(FaultSchema))


class AliveSchema(Schema):
    """The process answers."""

    status = fields.Constant("alive", required=True)


class ReadySchema(Schema):
    """Whether signals can be accepted; a broker that is away does not change it."""

    status = _one_of("ready", "unready")
    reason = fields.String(metadata=_told("Why it is not ready."))
    broker = _one_of("connected", "away")


class AcceptedSchema(Schema):
    """A signal is on disk: since now, or, as a duplicate, since before under this id."""

    id = fields.String(required=True)
    status = _one_of("accepted", "duplicate")


class LineSchema(Schema):
    """What became of one line of a body: written when it is on disk."""

    line = fields.Integer(required=True, metadata=_told("Counted from 1, blank ones too."))
    status = _one_of("accepted", "duplicate", "refused")
    id = fields.String(metadata=_told("Where it is not refused."))
    code = fields.String(metadata=_told("Where it is refused."))
    errors = Listed(fields.Nested(FaultSchema), metadata=_told("Where it is refused."))


class LastLineSchema(Schema):
    """The last line of an answer. Where `done` is false or it is missing, send the unanswered lines again."""

    done = Flag(required=True)
    accepted = fields.Integer(required=True)
    duplicate = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    status = fields.Integer(metadata=_told("Where `done` is false: why, as in a problem."))
    code = fields.String()
    detail = fields.String()


class BrokerStatusSchema(Schema):
    """Whether the broker is there."""

    connected = Flag(required=True)
    error = fields.String(required=True, allow_none=True)


class OutboxSchema(Schema):
    """What waits for the broker, and for receipts."""

    waiting = fields.Integer(required=True)
    oldest = Instant(required=True, allow_none=True)
    awaiting = fields.Integer(required=True)


class GatewayStatusSchema(Schema):
    """How the gateway is."""

    version = fields.String(required=True)
    since = Instant(required=True)
    ready = Flag(required=True)
    unready = fields.String(required=True, allow_none=True, metadata=_told("Why it is not ready."))
    broker = fields.Nested(BrokerStatusSchema, required=True)
    outbox = fields.Nested(OutboxSchema, required=True)
    sources = Listed(fields.String(), required=True)


class DeliverySchema(Schema):
    """A destination's part of a signal's life."""

    destination = fields.String(required=True)
    topic = fields.String(required=True)
    station = Choice(Station, required=True)
    at = Instant(required=True)
    published_at = Instant(required=True, allow_none=True)
    awaiting = Listed(fields.String(), required=True, metadata=_told("The bots whose receipts are missing."))
    reason = fields.String(required=True)
    attempts = fields.Integer(required=True)


class StoredReceiptSchema(ReceiptSchema):
    """A receipt, and when it was stored."""

    stored_at = Instant(required=True)


class LifeSchema(Schema):
    """The life of a signal, from its acceptance to the bots' receipts."""

    id = fields.String(required=True)
    source = fields.String(required=True)
    body = fields.String(required=True)
    mode = Choice(Mode, required=True)
    instrument = fields.String(required=True)
    effect = _one_of(*Effect, "")
    accepted_at = Instant(required=True)
    expires_at = Instant(required=True)
    envelope = Object(required=True, metadata=_told("As published: see the JSON Schema `envelope`."))
    deliveries = Listed(fields.Nested(DeliverySchema), required=True)
    receipts = Listed(fields.Nested(StoredReceiptSchema), required=True)
    possible_duplicate_of = fields.String()


class SignalsSchema(Schema):
    """A page of signals, the newest first."""

    signals = Listed(fields.Nested(LifeSchema), required=True)
    next = fields.Integer(required=True, allow_none=True, metadata=_told("The `before` of the next page."))


class RefusalSchema(Schema):
    """A request that was refused."""

    id = fields.String(required=True)
    source = fields.String(required=True)
    at = Instant(required=True)
    code = fields.String(required=True)
    size = fields.Integer(required=True, metadata=_told("Bytes of the body."))
    errors = Listed(fields.Nested(FaultSchema), required=True)


class RefusalsSchema(Schema):
    """A page of refused requests, the newest first."""

    refusals = Listed(fields.Nested(RefusalSchema), required=True)
    next = fields.Integer(required=True, allow_none=True, metadata=_told("The `before` of the next page."))


class WithdrawnSchema(Schema):
    """What became of a withdrawal."""

    id = fields.String(required=True)
    status = _one_of("withdrawn", "sent")
    withdrawal = fields.String(metadata=_told("The withdrawal's own id, where one was sent."))


class ClockSchema(Schema):
    """How far a bot's clock is off the gateway's."""

    offset_seconds = Number(required=True, allow_none=True)
    heartbeat_ahead_seconds = Number(required=True, allow_none=True)
    problem = fields.String(required=True, allow_none=True)


class BotSchema(Schema):
    """How a bot is."""

    name = fields.String(required=True)
    profile = fields.String(
        required=True, allow_none=True, metadata=_told("`plugin`, or `hummingbot` for a stock one.")
    )
    state = Choice(State, required=True)
    alive = Flag(required=True)
    state_since = Instant(required=True, allow_none=True)
    last_seen_at = Instant(required=True, allow_none=True)
    last_seen_by = fields.String(required=True, allow_none=True)
    login = Flag(required=True)
    sources = Listed(fields.String(), required=True)
    online = Flag(required=True)
    absent_since = Instant(required=True, allow_none=True)
    subscriptions = Listed(fields.String(), required=True)
    durable = Flag(required=True, allow_none=True)
    plugin = fields.String(required=True, allow_none=True)
    clock = fields.Nested(ClockSchema, required=True)
    unreceived = fields.Integer(required=True)
    last_receipt_at = Instant(required=True, allow_none=True)


class BotsSchema(Schema):
    """Every bot, by name."""

    bots = Listed(fields.Nested(BotSchema), required=True)


class ToldEventSchema(Schema):
    """An event that a bot told."""

    received_at = Instant(required=True)
    at = Instant(required=True, allow_none=True)
    type = fields.String(required=True)
    data = Object(required=True)


class ToldTextSchema(Schema):
    """A notification that a bot sent."""

    received_at = Instant(required=True)
    at = Instant(required=True, allow_none=True)
    text = fields.String(required=True)


class ToldPerformanceSchema(Schema):
    """How a bot does, by its own account."""

    received_at = Instant(required=True)
    controllers = Object(required=True)


class OneBotSchema(BotSchema):
    """How a bot is, and what it told lately."""

    events = Listed(fields.Nested(ToldEventSchema), required=True)
    notifications = Listed(fields.Nested(ToldTextSchema), required=True)
    performance = fields.Nested(ToldPerformanceSchema, required=True, allow_none=True)


class LogSchema(ToldTextSchema):
    """A line of a bot's log."""

    level = fields.String(required=True)
    logger = fields.String(required=True)


class LogsSchema(Schema):
    """The latest log lines of a bot, oldest first."""

    name = fields.String(required=True)
    logs = Listed(fields.Nested(LogSchema), required=True)
    next = fields.Integer(required=True, metadata=_told("The `after` of the lines since then."))


class ForgottenSchema(Schema):
    """What was forgotten of a bot."""

    name = fields.String(required=True)
    known = Flag(required=True)
    card_cleared = Flag(required=True)


class BotReplySchema(Schema):
    """The bot's own reply; beside these whatever the command answers."""

    status = fields.Integer(required=True)
    msg = fields.String(required=True)


class OutcomeSchema(Schema):
    """What came of a command."""

    outcome = Choice(Outcome, required=True)
    bot = fields.String(required=True)
    command = fields.String(required=True)
    reply = fields.Nested(BotReplySchema)


class TokenSchema(Schema):
    """A token that opens a source once."""

    token = fields.String(required=True)
    expires_at = Instant(required=True)
