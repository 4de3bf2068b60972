"""Every message of version 1 as JSON Schema: bodies, the envelope around each, commands, and what bots tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from marshmallow import Schema

from schemas import envelope as e
from schemas.alert import AlertSchema, WithdrawalSchema
from schemas.card import BotCardSchema, GatewayCardSchema, ReceiptedSchema
from schemas.command import PARAMETERS, Command
from schemas.export import payloads
from schemas.export.components import Components
from schemas.export.scalars import Document, without_null
from schemas.prediction import PredictionSchema
from schemas.receipt import ReceiptSchema
from schemas.record import RecordSchema
from schemas.signature import SignedSchema
from schemas.trade import TradeSchema

DRAFT = "https://json-schema.org/draft/2020-12/schema"

BODIES: Mapping[str, type[RecordSchema]] = {
    e.TRADE: TradeSchema,
    e.ALERT: AlertSchema,
    e.PREDICTION: PredictionSchema,
    e.WITHDRAW: WithdrawalSchema,
    e.RECEIPT: ReceiptSchema,
    e.RECEIPTED: ReceiptedSchema,
    e.BOT_CARD: BotCardSchema,
    e.GATEWAY_CARD: GatewayCardSchema,
}
"""By the type of their envelopes."""

COMMANDS: Mapping[str, type[RecordSchema]] = {
    f"command.{command.replace('/', '-')}": PARAMETERS[command] for command in Command
}
"""The parameters of each command: the ``data`` of its request."""

PLAIN: Mapping[str, type[Schema]] = {
    "command.request": payloads.CommandRequestSchema,
    "command.reply": payloads.CommandReplySchema,
    "command.signed": SignedSchema,
    "telemetry.hb": payloads.HeartbeatSchema,
    "telemetry.status_updates": payloads.StatusUpdateSchema,
    "telemetry.events": payloads.InternalEventSchema,
    "telemetry.notify": payloads.NotificationSchema,
    "telemetry.log": payloads.LogLineSchema,
    "hummingbot.external_event": payloads.ExternalEventSchema,
    "hummingbot.ml_signals": payloads.MlSignalSchema,
}
"""What has no envelope, by the name of its schema; ``telemetry.performance`` besides, an object by controller."""

PERFORMANCE = "telemetry.performance"

_TRUE = ("expirytime", "mode")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((e.TRADE, e.ALERT, e.PREDICTION), (*_TRUE, "partitionkey", "sequence")),
    e.WITHDRAW: _TRUE,
}
"""The attributes without which bots refuse a signal."""


def schema_name(type_: str) -> str:
    """``signal.trade`` for ``signal.trade.v1``."""
    return type_.rpartition(".v")[0]


def json_schemas() -> dict[str, Document]:
    """Every JSON Schema of version 1 by its name, which is the middle of its ``$id``; each stands alone.

    A body's ``$id`` is the ``dataschema`` of the envelopes around it.
    """
    made = {"envelope": _alone("envelope", envelope)}
    for type_, schema in BODIES.items():
        name = schema_name(type_)
        made[name] = _body(name, schema)
        made[f"envelope.{name}"] = _alone(f"envelope.{name}", partial(envelope, type_=type_))
    made |= {name: _body(name, schema) for name, schema in {**PLAIN, **COMMANDS}.items()}
    made[PERFORMANCE] = _alone(PERFORMANCE, performance)
    return made


def envelope(parts: Components, type_: str | None = None) -> Document:
    """The envelope around bodies of a type, or of any: CloudEvents' attributes in their order, then ``data``."""
    made = parts.spell(e.EnvelopeSchema)
    data = made["properties"].pop("data")
    made["properties"] = {
        "specversion": {"const": "1.0"},
        **made["properties"],
        "datacontenttype": {"enum": ["application/json", None]},
        "data": data if type_ is None else parts.refer(BODIES[type_]),
    }
    made["required"] = ["specversion", *made["required"]]
    if type_ is not None:
        made["properties"]["type"] = {"const": type_}
    for name in _NEEDED.get(type_ or "", ()):
        made["properties"][name] = without_null(made["properties"][name])
        made["required"].append(name)
    return made


def performance(parts: Components) -> Document:
    """What ``performance`` has: by controller, how it does."""
    described = {"description": "By controller, how it does."}
    return {"type": "object", **described, "additionalProperties": parts.refer(payloads.ControllerSchema)}


def _body(name: str, schema: type[Schema]) -> Document:
    return _alone(name, lambda parts: parts.spell(schema))


def _alone(name: str, make: Callable[[Components], Document]) -> Document:
    parts = Components("#/$defs/")
    made = make(parts)
    head = {"$schema": DRAFT, "$id": f"urn:signal-gateway:{name}:1.0", "title": name}
    return head | made | ({"$defs": parts.schemas} if parts.schemas else {})
