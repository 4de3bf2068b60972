"""Route: where a signal goes. A payload never chooses a topic; only the configuration and the instrument's name do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from gateway.journal.model import Destination
from schemas.alert import Alert
from schemas.envelope import Envelope
from schemas.fields import exact_text, instant_text
from schemas.prediction import Prediction
from schemas.topics import UNKNOWN_INSTRUMENT, Mode, SignalTopic, Topics
from schemas.trade import Trade

SIGNALS = "signals"
"""The destination that every signal has: its versioned topic."""

_STOCK = "hummingbot:"
_BODIES: dict[type, str] = {Trade: "trade", Alert: "alert", Prediction: "prediction"}


def route(
    envelope: Envelope, signal: Trade | Alert | Prediction, *, stock_bots: Iterable[tuple[str, str]], topics: Topics
) -> tuple[Destination, ...]:
    """Name the destinations of a signal: its versioned topic, and the stock bots that its source names.

    A signal in test mode goes to the test tree alone, a prediction to its versioned topic.

    Args:
        envelope: the signal's envelope.
        signal: its body.
        stock_bots: names of stock Hummingbot bots, each with the name of the external event that it listens to.
        topics: the topic tree.
    """
    body, source = _BODIES[signal.__class__], envelope.source.rpartition("/")[2]
    instrument = UNKNOWN_INSTRUMENT if signal.instrument is None else signal.instrument.name
    versioned = _versioned(topics, body, source, instrument, envelope.mode)
    events = () if envelope.mode is Mode.TEST else tuple(stock_bots)
    if not events or isinstance(signal, Prediction):
        return (versioned,)
    payload = external_event(envelope, signal)
    return versioned, *(
        Destination(name=f"{_STOCK}{bot}", topic=topics.external_event(bot, event), payload=payload, once=True)
        for bot, event in events
    )


@lru_cache(maxsize=4096)
def _versioned(topics: Topics, body: str, source: str, instrument: str, mode: Mode | None) -> Destination:
    place = SignalTopic(body, source, instrument, mode is Mode.TEST)
    return Destination(name=SIGNALS, topic=topics.signal(place))


def stock_bot(destination: str) -> str | None:
    """The stock bot that a destination is; None for another one."""
    return destination.removeprefix(_STOCK) if destination.startswith(_STOCK) else None


def external_event(envelope: Envelope, signal: Trade | Alert) -> bytes:
    """Spell a signal as Hummingbot's external event: an integer timestamp in seconds, and all else inside ``data``.

    ``data.type`` and ``data.amount`` are what Hummingbot's own ``external_events_example.py`` reads. A field that its
    model does not accept would make it hand an empty message to the strategy.
    """
    data = _data(signal) | {
        "id": envelope.id,
        "source": envelope.source.rpartition("/")[2],
        "mode": envelope.mode,
        "time": instant_text(envelope.time),
    }
    if envelope.expirytime is not None:
        data["expires_at"] = instant_text(envelope.expirytime)
    event = {"timestamp": int(envelope.time.timestamp()), "sequence": 0, "type": "eevent", "data": data}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _data(signal: Trade | Alert) -> dict[str, Any]:
    if isinstance(signal, Alert):
        return _present(type="alert", message=signal.message, trading_pair=signal.instrument and signal.instrument.pair)
    order = signal.order
    quantity = order.quantity if order else None
    return _present(
        type=signal.action,
        effect=signal.effect,
        trading_pair=signal.instrument.pair,
        instrument=signal.instrument.name,
        amount=exact_text(quantity.value) if quantity else None,
        amount_unit=quantity.unit if quantity else None,
        price=exact_text(order.price) if order and order.price is not None else None,
        target=signal.position.target if signal.position else None,
        order_id=order.id if order else None,
        comment=order.comment if order else None,
    )


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
