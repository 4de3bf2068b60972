"""Reads a message from a signal topic: a signal, a withdrawal, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from bot_plugin.registration import ALERT, TRADE
from bot_plugin.signal import Signal
from bot_plugin.transport import Message
from schemas import envelope as envelopes
from schemas.alert import Alert, AlertSchema, Withdrawal, WithdrawalSchema
from schemas.envelope import Envelope
from schemas.errors import ContractError
from schemas.fields import from_micros, to_micros
from schemas.record import load
from schemas.topics import VERSION, Mode
from schemas.trade import Trade, TradeSchema

BODIES = (envelopes.TRADE, envelopes.ALERT, envelopes.WITHDRAW)
"""The body types that this plugin reads."""

MAX_ID = 64

_SCHEMAS = {envelopes.TRADE: TradeSchema, envelopes.ALERT: AlertSchema}
_PLACES = {envelopes.TRADE: TRADE, envelopes.ALERT: ALERT}


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A signal is to be stopped where it was not started."""

    withdrawal: Withdrawal
    expires_at: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The message is no signal that this plugin can run; ``id`` is None where not even that could be read."""

    id: str | None
    problem: str


def prefixes(root: str) -> tuple[str, ...]:
    """What the topics of signals begin with."""
    return tuple(f"{root}{tree}/{VERSION}/{body}/" for tree in ("", "-test") for body in (TRADE, ALERT))


def read(
    message: Message, *, root: str, now: Callable[[], int], monotonic: Callable[[], int]
) -> Signal | Withdrawn | Unreadable:
    """Read a message as it arrives; never raises."""
    try:
        envelope = envelopes.decode(message.payload)
    except ContractError as error:
        return Unreadable(_id(message.payload), str(error))
    try:
        problem = _misplaced(envelope, message.topic, root=root)
        if problem:
            return Unreadable(envelope.id, problem)
        if envelope.type == envelopes.WITHDRAW:
            return _withdrawn(envelope)
        return _signal(envelope, now, monotonic)
    except ContractError as error:
        return Unreadable(envelope.id, str(error))


def _id(payload: bytes) -> str | None:
    """The id of what is no envelope otherwise, so that a receipt can say what is wrong."""
    try:
        id_ = json.loads(payload)["id"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return id_ if isinstance(id_, str) and 0 < len(id_) <= MAX_ID and id_.isprintable() else None


def _misplaced(envelope: Envelope, topic: str, *, root: str) -> str | None:
    missing = [name for name in ("mode", "expirytime", "partitionkey", "sequence") if getattr(envelope, name) is None]
    if envelope.type != envelopes.WITHDRAW:
        if envelope.type not in _SCHEMAS:
            return f"this bot does not read {envelope.type!r}"
        if missing:
            return f"the envelope lacks {', '.join(missing)}"
    elif envelope.expirytime is None:
        return "the envelope lacks expirytime"
    tree = f"{root}-test" if envelope.mode is Mode.TEST else root
    place = _PLACES.get(envelope.type, TRADE)
    expected = f"{tree}/{VERSION}/{place}/{_source(envelope)}/"
    return None if topic.startswith(expected) else f"its topic {topic[:200]!r} is not below {expected!r}"


def _source(envelope: Envelope) -> str:
    return envelope.source.removeprefix("/sources/")


def _withdrawn(envelope: Envelope) -> Withdrawn:
    assert envelope.expirytime is not None
    withdrawal: Withdrawal = load(WithdrawalSchema, envelope.data)
    return Withdrawn(withdrawal, to_micros(envelope.expirytime))


def _signal(envelope: Envelope, now: Callable[[], int], monotonic: Callable[[], int]) -> Signal:
    assert envelope.mode is not None
    assert envelope.expirytime is not None
    assert envelope.partitionkey is not None
    assert envelope.sequence is not None
    body: Trade | Alert = load(_SCHEMAS[envelope.type], envelope.data)
    at = now()
    return Signal(
        id=envelope.id,
        source=_source(envelope),
        mode=envelope.mode,
        body=body,
        key=envelope.partitionkey,
        sequence=envelope.sequence,
        time=envelope.time,
        expires_at=envelope.expirytime,
        received_at=from_micros(at),
        possible_duplicate_of=envelope.possibleduplicateof,
        deadline=monotonic() + to_micros(envelope.expirytime) - at,
        now=now,
        monotonic=monotonic,
    )
