"""CloudEvents 1.0 around every body: encode and decode in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validate

from schemas.document import dump, parse
from schemas.errors import ContractError, Fault
from schemas.fields import Choice, Instant, Object, instant_text
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

SIGNALS = frozenset({TRADE, ALERT, PREDICTION, WITHDRAW})
"""The types that go to a strategy: each has a mode and an expiry."""

SEQUENCE_DIGITS = 20
MAX_SEQUENCE = 2**63 - 1


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
            raise ValidationError(f"must be {SEQUENCE_DIGITS} digits as a string")
        number = int(value)
        if number > MAX_SEQUENCE:
            raise ValidationError(f"must be at most {MAX_SEQUENCE}")
        return number

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else sequence_text(value)


class EnvelopeSchema(RecordSchema):
    """Loads an Envelope; ``data`` stays a mapping until ``body`` reads it."""

    record = Envelope

    id = fields.String(required=True, validate=validate.Length(min=1, max=64))
    source = fields.String(required=True, validate=validate.Length(min=1, max=256))
    type = fields.String(required=True, validate=validate.Length(min=1, max=64))
    time = Instant(required=True)
    data = Object(required=True)
    subject = fields.String()
    dataschema = fields.String()
    expirytime = Instant()
    mode = Choice(Mode)
    partitionkey = fields.String()
    sequence = Sequence()
    previoussequence = Sequence()
    traceparent = fields.String()
    correlationid = fields.String()
    causationid = fields.String()
    replayof = fields.String()
    possibleduplicateof = fields.String()

    def check(self, values: Mapping[str, Any]) -> dict[str, list[str]]:
        """Every signal has an expirytime and a mode."""
        if values["type"] not in SIGNALS:
            return {}
        return {name: ["is missing: every signal has one"] for name in ("expirytime", "mode") if name not in values}


_LATE = ("sequence", "previoussequence", "possibleduplicateof")
"""The attributes that are known only at the commit; ``complete`` adds them behind the others."""

_EARLY = tuple(f.name for f in dataclass_fields(Envelope) if f.name not in {*_LATE, "data"})


def sequence_text(sequence: int) -> str:
    """Spell a sequence number as 20 digits.

    Raises:
        ValueError: it is negative or has more than 63 bits.
    """
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise ValueError(f"{sequence} is not a sequence number: 0 to {MAX_SEQUENCE}")
    return f"{sequence:020d}"


def schema_urn(type_: str) -> str:
    """``urn:signal-gateway:signal.trade:1.0`` for ``signal.trade.v1``: the body's schema with its minor version."""
    name, _, major = type_.rpartition(".v")
    return f"urn:signal-gateway:{name}:{major}.0"


def encode(envelope: Envelope) -> bytes:
    """Write an envelope as structured JSON: compact UTF-8, always the same bytes for the same envelope.

    Raises:
        ValueError: the data is no document that ``schemas.document`` writes.
    """
    return complete(
        _head(envelope),
        sequence=envelope.sequence,
        previous=envelope.previoussequence,
        possible_duplicate_of=envelope.possibleduplicateof,
    )


def encode_head(envelope: Envelope) -> bytes:
    """Write an envelope whose place in its key is not known yet; ``complete`` makes it whole.

    Raises:
        ValueError: it has a sequence already, or as ``encode`` does.
    """
    if (envelope.sequence, envelope.previoussequence, envelope.possibleduplicateof) != (None, None, None):
        raise ValueError("the envelope is complete already")
    return _head(envelope)


def complete(
    head: bytes, *, sequence: int | None, previous: int | None = None, possible_duplicate_of: str | None = None
) -> bytes:
    """Add what is known only at the commit to an encoded head; the same arguments give the same bytes."""
    late = b""
    if sequence is not None:
        late = b',"sequence":"%b"' % sequence_text(sequence).encode()
    if previous is not None:
        late += b',"previoussequence":"%b"' % sequence_text(previous).encode()
    if possible_duplicate_of is not None:
        late += b',"possibleduplicateof":%b' % dump(possible_duplicate_of)
    return head[:-1] + late + b"}" if late else head


def _head(envelope: Envelope) -> bytes:
    document: dict[str, Any] = {"specversion": "1.0"}
    for name in _EARLY:
        value = getattr(envelope, name)
        if value is not None:
            document[name] = value if value.__class__ is str else _attribute(value)
    document["datacontenttype"] = "application/json"
    document["data"] = envelope.data
    return dump(document)


def _attribute(value: Any) -> str:
    return instant_text(value) if isinstance(value, datetime) else str(value)


def decode(payload: bytes) -> Envelope:
    """Read an envelope.

    Raises:
        ContractError: the payload is no document that ``schemas.document`` reads, no CloudEvent of version 1.0, or an
            attribute is wrong.
    """
    try:
        document = parse(payload)
    except ValueError as error:
        raise ContractError(Fault(where="", problem=f"the payload is not readable JSON: {error}")) from None
    if not isinstance(document, dict) or document.get("specversion") != "1.0":
        raise ContractError(Fault(where="specversion", problem="the payload is not a CloudEvent of version 1.0"))
    envelope: Envelope = load(EnvelopeSchema, document)
    return envelope


def body(schema: type[RecordSchema], record: Any) -> dict[str, Any]:
    """Spell a body for ``Envelope.data``; ``schema`` names the record it must be.

    Raises:
        TypeError: the record is not the schema's.
        ValueError: a decimal or an instant that the wire cannot spell, or nested without end.
    """
    if not isinstance(record, schema.record):
        raise TypeError(f"{schema.__name__} writes {schema.record.__name__}, not {type(record).__name__}")
    try:
        return spell(record)
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None


def attributes(payload: bytes) -> list[tuple[str, str]]:
    """An encoded envelope's attributes as the MQTT 5 user properties that mirror them; its data is not read again.

    An attribute whose text MQTT forbids (a control character, a noncharacter) has no mirror: brokers end the connection
    over it.
    """
    early, _, rest = payload.decode().partition(',"data":')
    late = rest[rest.rfind("}", 0, -1) + 1 :]  # what ``complete`` added; a signal's id holds no brace
    return [
        (name, value)
        for name, value in json.loads(early + late).items()
        if isinstance(value, str) and (value.isprintable() or not _UNFIT.search(value))
    ]


_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
