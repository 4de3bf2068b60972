"""A signal as one line that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.envelope import Envelope


def signal_line(envelope: Envelope, *, now: datetime) -> str:
    """Time, source, what to do with what, and how old it is."""
    age = (now - envelope.time).total_seconds()
    source = envelope.source.rpartition("/")[2]
    words = [f"{envelope.time:%H:%M:%S.%f}"[:-3], source, *_words(envelope), f"age {_age(age)}"]
    if envelope.mode is not None and envelope.mode != "live":
        words.append(f"[{envelope.mode}]")
    return "  ".join(words)


def _words(envelope: Envelope) -> list[str]:
    data, kind = envelope.data, envelope.type.removeprefix("signal.").partition(".")[0]
    if kind == "prediction":
        return [kind, envelope.subject or "-", predicted(data)]
    if kind != "trade":
        return [kind, envelope.subject or "-", str(data.get("message") or data.get("reason") or "")]
    order = _mapping(data, "order")
    quantity = _mapping(order, "quantity")
    price = order.get("price") or _mapping(data, "bar").get("close")
    amount = f"{quantity.get('value')} {quantity.get('unit', '')}".rstrip() if quantity else "-"
    action = f"{data.get('action')} ({data.get('effect', 'unknown')})"
    return [action, envelope.subject or "-", amount, f"at {price}" if price else "at -"]


def predicted(data: Mapping[str, Any]) -> str:
    """What a prediction says: ``btc-lstm: short 0.1, neutral 0.2, long 0.7``."""
    said = [f"{name} {_figure(share)}" for name, share in _mapping(data, "probabilities").items()]
    if value := _mapping(data, "value"):
        said.append(f"{value.get('name')} {_figure(value.get('value'))}")
    said += [f"{_figure(value)} at {level}" for level, value in _mapping(data, "quantiles").items()]
    return f"{_mapping(data, 'model').get('name')}: {', '.join(said)}"


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _mapping(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


def _age(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.1f} s"
