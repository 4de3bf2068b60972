"""CloudEvents 1.0 around every body: encode and decode in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from schemas.errors import ContractError, Fault
from schemas.fields import Instant, instant_text
from schemas.record import RecordSchema, load
from schemas.record import wire as spell
from schemas.topics import Mode

CONTENT_TYPE = "application/cloudevents+json"

TRADE = "signal.trade.v1"
ALERT = "signal.alert.v1"
PREDICTION = "signal.prediction.v1"
WITHDRAW = "signal.withdraw.v1"
RECEIPT = "signal.receipt.v1"
RECEIPTED = "signal.receipted.v1"
BOT_CARD = "signal.bot.v1"
GATEWAY_CARD = "signal.gateway.v1"

SEQUENCE_DIGITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A CloudEvent. The fields are CloudEvents' attributes and the extensions of this contract, by their wire names.

    Args:
        id: UUIDv7 of a signal; of a receipt, the same for the same (signal, bot, handler, stage).
        source: ``/sources/btc-breakout`` or ``/bots/demo``.
        type: ``signal.trade.v1``.
        time: when it was accepted, or written.
        data: the body's wire form.
        subject: the instrument's name, or the signal that a receipt is about.
        expirytime: when a signal stops being true; every signal has one.
        mode: what a signal is for; every signal has one.
        partitionkey: ``source/instrument``: signals with one key keep their order.
        sequence: microseconds of acceptance, or the key's last number plus one.
        previoussequence: the number last put on this key's topic; None for the first.
        possibleduplicateof: the id of an earlier signal with an equal body.
    """

    id: str
    source: str
    type: str
    time: datetime
    data: Mapping[str, Any]
    subject: str | None = None
    dataschema: str | None = None
    expirytime: datetime | None = None
    mode: Mode | None = None
    partitionkey: str | None = None
    sequence: int | None = None
    previoussequence: int | None = None
    traceparent: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    replayof: str | None = None
    possibleduplicateof: str | None = None


class Sequence(fields.Field[int]):
    """A number of 20 digits as a string, so that text order is number order."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ARG002
        if not (isinstance(value, str) and len(value) == SEQUENCE_DIGITS and value.isascii() and value.isdigit()):
            raise ValidationError(f"is {SEQUENCE_DIGITS} digits as a string")
        return int(value)

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else sequence_text(value)


class EnvelopeSchema(RecordSchema):
    """Loads an Envelope; ``data`` stays a mapping until ``body`` reads it."""

    record = Envelope

    id = fields.String(required=True, validate=validate.Length(min=1, max=64))
    source = fields.String(required=True, validate=validate.Length(min=1, max=256))
    type = fields.String(required=True, validate=validate.Length(min=1, max=64))
    time = Instant(required=True)
    data = fields.Dict(keys=fields.String(), required=True)
    subject = fields.String()
    dataschema = fields.String()
    expirytime = Instant()
    mode = fields.Enum(Mode, by_value=True)
    partitionkey = fields.String()
    sequence = Sequence()
    previoussequence = Sequence()
    traceparent = fields.String()
    correlationid = fields.String()
    causationid = fields.String()
    replayof = fields.String()
    possibleduplicateof = fields.String()


_LATE = ("sequence", "previoussequence", "possibleduplicateof")
"""The attributes that are known only at the commit; ``complete`` adds them behind the others."""

_EARLY = tuple(f.name for f in dataclass_fields(Envelope) if f.name not in {*_LATE, "data"})


def sequence_text(sequence: int) -> str:
    """Spell a sequence number as 20 digits."""
    return f"{sequence:020d}"


def schema_urn(type_: str) -> str:
    """``urn:signal-gateway:signal.trade:1.0`` for ``signal.trade.v1``: the body's schema with its minor version."""
    name, _, major = type_.rpartition(".v")
    return f"urn:signal-gateway:{name}:{major}.0"


def encode(envelope: Envelope) -> bytes:
    """Write an envelope as structured JSON: compact UTF-8, always the same bytes for the same envelope."""
    return complete(
        _head(envelope),
        sequence=envelope.sequence,
        previous=envelope.previoussequence,
        possible_duplicate_of=envelope.possibleduplicateof,
    )


def encode_head(envelope: Envelope) -> bytes:
    """Write an envelope whose place in its key is not known yet; ``complete`` makes it whole.

    Raises:
        ValueError: it already has a sequence.
    """
    if any(getattr(envelope, name) is not None for name in _LATE):
        raise ValueError("the envelope is complete already")
    return _head(envelope)


def complete(
    head: bytes, *, sequence: int | None, previous: int | None = None, possible_duplicate_of: str | None = None
) -> bytes:
    """Add what is known only at the commit to an encoded head; the same arguments give the same bytes."""
    late = ""
    if sequence is not None:
        late = f',"sequence":"{sequence_text(sequence)}"'
    if previous is not None:
        late += f',"previoussequence":"{sequence_text(previous)}"'
    if possible_duplicate_of is not None:
        late += f',"possibleduplicateof":{_dump(possible_duplicate_of)}'
    return head[:-1] + late.encode() + b"}" if late else head


def _head(envelope: Envelope) -> bytes:
    document: dict[str, Any] = {"specversion": "1.0"}
    for name in _EARLY:
        value = getattr(envelope, name)
        if value is not None:
            document[name] = value if value.__class__ is str else _attribute(value)
    document["datacontenttype"] = "application/json"
    document["data"] = envelope.data
    return _dump(document).encode()


def _attribute(value: Any) -> str:
    return instant_text(value) if isinstance(value, datetime) else str(value)


_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def decode(payload: bytes) -> Envelope:
    """Read an envelope.

    Raises:
        ContractError: the payload is no JSON, no CloudEvent of version 1.0, or an attribute is wrong.
    """
    try:
        document = json.loads(payload, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ContractError(Fault(where="", problem=f"the payload is not JSON: {error}")) from None
    if not isinstance(document, dict) or document.get("specversion") != "1.0":
        raise ContractError(Fault(where="specversion", problem="the payload is not a CloudEvent of version 1.0"))
    envelope: Envelope = load(EnvelopeSchema, document)
    return envelope


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def body(schema: type[RecordSchema], record: Any) -> dict[str, Any]:
    """Spell a body for ``Envelope.data``; ``schema`` names the record it must be.

    Raises:
        TypeError: the record is not the schema's.
    """
    if not isinstance(record, schema.record):
        raise TypeError(f"{schema.__name__} writes {schema.record.__name__}, not {type(record).__name__}")
    return spell(record)


def attributes(payload: bytes) -> list[tuple[str, str]]:
    """An encoded envelope's attributes as the MQTT 5 user properties that mirror them."""
    document = json.loads(payload)
    return [(name, value) for name, value in document.items() if name != "data" and isinstance(value, str)]
