"""Reads a message from a signal topic: a signal, a withdrawal, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from bot_plugin.order import Place
from bot_plugin.registration import ALERT, PREDICTION, TRADE
from bot_plugin.registration import BODIES as PLACES
from bot_plugin.signal import Signal
from bot_plugin.transport import Message
from schemas import envelope as envelopes
from schemas.alert import Alert, AlertSchema, Withdrawal, WithdrawalSchema
from schemas.envelope import Envelope
from schemas.errors import ContractError
from schemas.fields import from_micros, to_micros
from schemas.prediction import Prediction, PredictionSchema
from schemas.record import load
from schemas.topics import VERSION, Mode
from schemas.trade import Trade, TradeSchema

BODIES = (envelopes.TRADE, envelopes.ALERT, envelopes.PREDICTION, envelopes.WITHDRAW)
"""The body types that this plugin reads."""

MAX_ID = 64

_SCHEMAS = {
    envelopes.TRADE: TradeSchema,
    envelopes.ALERT: AlertSchema,
    envelopes.PREDICTION: PredictionSchema,
}
_PLACES = {
    envelopes.TRADE: (TRADE,),
    envelopes.ALERT: (ALERT,),
    envelopes.PREDICTION: (PREDICTION,),
    envelopes.WITHDRAW: PLACES,
}

_ROUNDING = 2
"""Seconds that a signal may live longer than its message's interval: the gateway cuts a fraction off as it publishes
(up to 1), and a broker that counts in whole seconds may take one for a moment (up to 1)."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A signal is to be stopped where it was not started.

    Args:
        id: the withdrawal's own.
        place: where it stands among the signals of its topic; None where it does not say.
        written_at, expires_at: microseconds since the epoch.
    """

    id: str
    withdrawal: Withdrawal
    place: Place | None
    written_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The message is no signal that this plugin can run; ``id`` is None where not even that could be read."""

    id: str | None
    problem: str
    place: Place | None = None


def prefixes(root: str) -> tuple[str, ...]:
    """What the topics of signals begin with."""
    return tuple(f"{root}{tree}/{VERSION}/{body}/" for tree in ("", "-test") for body in PLACES)


def read(
    message: Message,
    *,
    root: str,
    now: Callable[[], int],
    monotonic: Callable[[], int],
    latest: Callable[[], int] | None = None,
) -> Signal | Withdrawn | Unreadable:
    """Read a message as it arrives; never raises.

    Args:
        message: from a signal topic.
        root: what the topics begin with.
        now: the bot's clock, microseconds since the epoch.
        monotonic: the clock that nobody sets, microseconds.
        latest: what the signal's ``remaining`` goes by, where not by ``now``.
    """
    try:
        envelope = envelopes.decode(message.payload)
    except ContractError as error:
        return Unreadable(_id(message.payload), str(error))
    try:
        problem = _misplaced(envelope, message.topic, root=root)
        if problem:
            return Unreadable(envelope.id, problem)
        if envelope.type == envelopes.WITHDRAW:
            return _withdrawn(envelope, message.topic)
        return _signal(envelope, message.expiry, now=now, monotonic=monotonic, latest=latest or now)
    except ContractError as error:
        return Unreadable(envelope.id, str(error), _place(envelope, message.topic))


def _place(envelope: Envelope, topic: str) -> Place | None:
    if envelope.sequence is None:
        return None
    return Place(topic=topic, sequence=envelope.sequence, previous=envelope.previoussequence)


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
    expected = tuple(f"{tree}/{VERSION}/{place}/{_source(envelope)}/" for place in _PLACES[envelope.type])
    return None if topic.startswith(expected) else f"its topic {topic[:200]!r} is not below {expected[0]!r}"


def _source(envelope: Envelope) -> str:
    return envelope.source.removeprefix("/sources/")


def _withdrawn(envelope: Envelope, topic: str) -> Withdrawn:
    assert envelope.expirytime is not None
    return Withdrawn(
        envelope.id,
        load(WithdrawalSchema, envelope.data),
        _place(envelope, topic),
        to_micros(envelope.time),
        to_micros(envelope.expirytime),
    )


def _signal(
    envelope: Envelope,
    expiry: int | None,
    *,
    now: Callable[[], int],
    monotonic: Callable[[], int],
    latest: Callable[[], int],
) -> Signal:
    assert envelope.mode is not None
    assert envelope.expirytime is not None
    assert envelope.partitionkey is not None
    assert envelope.sequence is not None
    body: Trade | Alert | Prediction = load(_SCHEMAS[envelope.type], envelope.data)
    at = now()
    lifetime = to_micros(envelope.expirytime) - at
    if expiry is not None:
        lifetime = min(lifetime, (expiry + _ROUNDING) * 1_000_000)
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
        previous=envelope.previoussequence,
        possible_duplicate_of=envelope.possibleduplicateof,
        causationid=envelope.causationid,
        correlationid=envelope.correlationid,
        deadline=monotonic() + lifetime,
        now=latest,
        monotonic=monotonic,
    )
