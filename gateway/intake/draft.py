"""Station: the signal in its envelope, by what a repeat of it is known, and the draft that the journal commits."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

from gateway.errors import Code, Refused
from gateway.intake.batch import Document
from gateway.intake.source import Source
from gateway.journal.model import Destination, Draft, Identity
from schemas.alert import Alert
from schemas.envelope import ALERT, PREDICTION, TRADE, Envelope, encode_head, schema_urn
from schemas.errors import Fault
from schemas.fields import from_micros, to_micros
from schemas.prediction import Prediction
from schemas.record import wire
from schemas.secrets import folded
from schemas.topics import UNKNOWN_INSTRUMENT, encode_segment
from schemas.trade import Trade

MAX_KEY = 256
MAX_HEAD = 65_536

_UNIQUE = frozenset({"id", "alertid", "alerttimestamp", "clientref", "clientorderid", "signalid", "tradeid"})
_RESENT_AFTER, _RESENT_UNTIL = 4_000_000, 25_000_000
"""Microseconds: TradingView sends a failed alert again every 5 s, three times."""

_TYPES: dict[type, str] = {Trade: TRADE, Alert: ALERT, Prediction: PREDICTION}
_SCHEMAS = {type_: schema_urn(type_) for type_ in _TYPES.values()}
_BODIES: dict[type, str] = {Trade: "trade", Alert: "alert", Prediction: "prediction"}

Signal = Trade | Alert | Prediction
"""What is sent on."""


def body_name(signal: Signal) -> str:
    """``trade``, ``alert`` or ``prediction``, as topics and the journal have it."""
    return _BODIES[signal.__class__]


def instrument_name(signal: Signal) -> str:
    """Name a signal's instrument as topics do, not yet encoded; ``-`` where none is known."""
    return UNKNOWN_INSTRUMENT if signal.instrument is None else signal.instrument.name


def seal(
    signal: Signal,
    *,
    source: Source,
    id_: str,
    accepted_at: int,
    expires_at: int,
    traceparent: str | None,
    causationid: str | None = None,
) -> Envelope:
    """Put a signal into its envelope. Times are microseconds since the epoch; causationid is of what it was made of.

    Subject and partition key hold the instrument as its topic segment, so that no text of a payload is in either.
    """
    instrument = encode_segment(instrument_name(signal))
    type_ = _TYPES[signal.__class__]
    return Envelope(
        id=id_,
        source=f"/sources/{source.name}",
        type=type_,
        time=from_micros(accepted_at),
        data=wire(signal),
        subject=None if signal.instrument is None else instrument,
        dataschema=_SCHEMAS[type_],
        expirytime=from_micros(expires_at),
        mode=source.mode,
        partitionkey=f"{source.name}/{instrument}",
        traceparent=traceparent,
        causationid=causationid,
    )


def draft(
    envelope: Envelope,
    signal: Signal,
    *,
    source: Source,
    destinations: Iterable[Destination],
    identity: Identity,
) -> Draft:
    """Make the draft that the journal commits.

    Raises:
        Refused: TOO_LARGE: the signal needs more than 65,536 bytes.
    """
    assert envelope.expirytime is not None
    assert envelope.partitionkey is not None
    return Draft(
        id=envelope.id,
        source=source.name,
        body=body_name(signal),
        mode=str(source.mode),
        instrument=instrument_name(signal),
        effect=str(signal.effect) if isinstance(signal, Trade) else "",
        key=envelope.partitionkey,
        accepted_at=to_micros(envelope.time),
        expires_at=to_micros(envelope.expirytime),
        head=_head(envelope),
        identity=identity,
        destinations=tuple(destinations),
    )


def _head(envelope: Envelope) -> bytes:
    head = encode_head(envelope)
    if len(head) > MAX_HEAD:
        problem = f"the signal needs {len(head)} bytes on its way; it may have {MAX_HEAD}"
        raise Refused(Code.TOO_LARGE, Fault(where="", problem=problem, cause="Leave out what no strategy reads."))
    return head


def identify(
    document: Document,
    signal: Signal,
    *,
    source: Source,
    header_key: str | None = None,
    place: str = "",
    body: bytes | None = None,
) -> Identity:
    """Say by what a repeat of a document is known: its idempotency key, and a digest of it.

    An equal document within 30 s is a duplicate where it has an id of its own or the time at which it was fired;
    otherwise only 4 to 25 s after the first, where TradingView's resends fall, and a prediction never.

    Args:
        document: as ``parse`` gave it.
        signal: what was made of it.
        source: whose repeats are compared, and whether they are dropped.
        header_key: the Idempotency-Key header; a key in the body wins.
        place: where the document stands in a request of several, which is then part of the header's key.
        body: the bytes that hold this document alone; None where they hold others too. What a sender sends again has
            the same bytes, so that a repeat is known by them, unless a key says what is a repeat.

    Raises:
        Refused: INVALID: the header is empty, or longer than 256 characters.
    """
    key = None if isinstance(signal, Alert) else signal.idempotency_key
    key = key or (None if header_key is None else _unquoted(header_key) + place)
    content = _canonical(document).encode() if body is None or key is not None else body
    digest = blake2b(source.name.encode() + b"\0" + content, digest_size=16).digest()
    if _has_time(signal) or (isinstance(document, dict) and any(map(_is_unique, document))):
        return Identity(key=key, fingerprint=digest, drop=source.drop_duplicates)
    if isinstance(signal, Prediction):  # a model that says the same again is no repeat, and keeps it in force
        return Identity(key=key, fingerprint=digest, drop=False)
    return Identity(
        key=key,
        fingerprint=digest,
        duplicate_after=_RESENT_AFTER,
        duplicate_until=_RESENT_UNTIL,
        drop=source.drop_duplicates,
    )


def _has_time(signal: Signal) -> bool:
    """Whether a signal says when it was made: what is made anew then differs."""
    if isinstance(signal, Prediction):
        return (signal.observed_at or signal.produced_at or signal.valid_until) is not None
    return signal.fired_at is not None


def _canonical(document: Document) -> str:
    return document if isinstance(document, str) else repr(sorted(document.items()))


def _unquoted(header: str) -> str:
    text = header.strip()
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    key = text[1:-1] if quoted else text
    if not 0 < len(key) <= MAX_KEY:
        problem = f"the header has {len(key)} characters; it may have 1 to {MAX_KEY}"
        raise Refused(Code.INVALID, Fault(where="Idempotency-Key", problem=problem))
    return key


def _is_unique(key: str) -> bool:
    return len(key) <= MAX_KEY and _is_unique_key(key)


@lru_cache(maxsize=1024)
def _is_unique_key(key: str) -> bool:
    return folded(key) in _UNIQUE
