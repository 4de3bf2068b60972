"""A prediction as a pipeline says it, and as the wire has it: a pure function from one to the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict

from bot_plugin.predictions.instrument import instrument_of
from bot_plugin.predictions.values import exact, instant, instant_text, number, number_or_exact, seconds

_TIMES = {"observed_at", "produced_at", "valid_until"}

Number = int | float | Decimal
"""Or what can be turned into a float, such as a number of NumPy."""


class Prediction(TypedDict, total=False):
    """What a model says, by one of ``probabilities``, ``value`` and ``quantiles`` at least.

    Args:
        pair: ``BTC-USDT``, ``BTC/USDT``, ``BTC/USDT:USDT`` for a perpetual, or a ticker that the source knows; not
            needed where the gateway's source fixes its instrument.
        instrument: instead of a pair, the contract's own object.
        model: its name; the settings' unless given. It need not be named where the gateway's source names one only.
        model_version: its version; the settings' unless given.
        probabilities: by name, ``{"short": 0.1, "neutral": 0.2, "long": 0.7}``; a sequence only where the gateway's
            source says which is which.
        value: a predicted number and what it is: ``("return", 0.0042)``.
        quantiles: values by their level: ``{0.05: -0.01, 0.95: 0.02}``.
        horizon: from ``observed_at`` on: seconds, a timedelta, or ``"1h"`` (s, m, h, d, w).
        confidence: 0 to 1.
        outlier: whether the input was unlike what the model was trained on.
        target_pct: the move that it predicts, as a fraction of the price.
        observed_at: the close of the last candle that the model saw; with a zone.
        produced_at: when the model said it; now unless given, or unless there is a key.
        valid_until: when it stops being true. Without it that is the horizon from ``observed_at`` on, or where that is
            not known, from ``produced_at`` on; without a horizon it is twice the interval of the gateway's source.
        features: what the model was given, by name.
        idempotency_key: names this prediction: sent twice, it is there once. Random unless given. The gateway refuses
            another prediction of the same key, so that with one nothing is filled in that depends on the clock: a
            ``horizon`` then needs ``observed_at``, ``produced_at`` or ``valid_until``.
    """

    pair: str
    instrument: Mapping[str, Any]
    model: str
    model_version: str
    probabilities: Mapping[str, Number] | Sequence[Number]
    value: tuple[str, Number]
    quantiles: Mapping[float | str, Number]
    horizon: float | timedelta | str
    confidence: Number
    outlier: bool
    target_pct: Number | str
    observed_at: datetime | str
    produced_at: datetime | str
    valid_until: datetime | str
    features: Mapping[str, Number]
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class Line:
    """A prediction as it is sent.

    Args:
        text: one line of JSON, without its end.
        key: its idempotency key.
        expires: when it stops being true, as far as it says so.
    """

    text: bytes
    key: str
    expires: datetime | None


def line_of(
    prediction: Mapping[str, Any],
    *,
    model: str | None,
    model_version: str | None,
    now: datetime,
    new_key: Callable[[], str],
) -> Line:
    """Write a prediction as the wire has it. What it says is the gateway's to judge, that it can be said is ours.

    Args:
        prediction: as ``Prediction`` has it; what is None is left out.
        model: for one that names none.
        model_version: for one that names no model.
        now: for one that does not say when it was produced.
        new_key: makes the key of one that has none.

    Raises:
        ValueError: naming each field that cannot be sent, and why.
    """
    given = {name: value for name, value in prediction.items() if value is not None}
    body, problems = _read(given)
    name = given.get("model", model)
    version = given.get("model_version", None if "model" in given else model_version)
    if {"idempotency_key", "horizon"} <= body.keys() and not _TIMES & body.keys():
        problems.append("horizon counts from a time of its own where there is a key: say observed_at or valid_until")
    if problems:
        raise ValueError(f"the prediction cannot be sent: {'; '.join(problems)}")
    if name is not None:
        body["model"] = {"name": name} if version is None else {"name": name, "version": version}
    if "idempotency_key" not in body:
        body["idempotency_key"] = new_key()
        body.setdefault("produced_at", instant_text(now))
    expires = _expiry(body)
    if expires is not None and "observed_at" not in body:
        body["valid_until"] = instant_text(expires)
    return Line(_json(body), body["idempotency_key"], expires)


def _read(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields as the wire spells them, and what is wrong with the others."""
    body: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        reader = _READERS.get(name)
        if reader is None:
            problems.append(f"{name!r} is no field of a prediction; there are {', '.join(Prediction.__annotations__)}")
            continue
        try:
            read = reader(value)
        except (TypeError, ValueError) as error:
            problems.append(f"{name} {error}")
            continue
        if name == "pair":
            body.setdefault("instrument", read)
        elif name not in {"model", "model_version"}:
            body[name] = read
    return body, problems


def _expiry(body: Mapping[str, Any]) -> datetime | None:
    """When it stops being true, as far as the sender can tell."""
    if "valid_until" in body:
        return instant(body["valid_until"])
    since = body.get("observed_at") or body.get("produced_at")
    if since is None or "horizon" not in body:
        return None
    try:
        return instant(since) + timedelta(seconds=body["horizon"])
    except OverflowError:  # the gateway will say what is wrong with it
        return None


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"the prediction cannot be sent: instrument is no JSON: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"is text, not {value!r:.80}")
    value.encode()  # a lone surrogate is no text
    return value


def _flag(value: Any) -> bool:
    if isinstance(value, str) or value not in (True, False):
        raise ValueError(f"is True or False, not {value!r:.80}")
    return bool(value)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("is an object of the contract, with `raw` at least")
    return dict(value)


def _probabilities(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _numbers(value, read=number)
    if isinstance(value, str | bytes):
        raise TypeError('are numbers by name, such as {"short": 0.1, "neutral": 0.2, "long": 0.7}')
    return [number(part) for part in value]


def _value(value: Any) -> dict[str, Any]:
    name, predicted = value if not isinstance(value, str) else (None, None)
    if name is None:
        raise TypeError('is what is predicted and its number, such as ("return", 0.0042)')
    return {"name": _text(name), "value": number_or_exact(predicted)}


def _quantiles(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("are values by their level, such as {0.05: -0.01, 0.95: 0.02}")
    return _numbers({exact(level): part for level, part in value.items()})


def _numbers(value: Any, *, read: Callable[[Any], Any] = number_or_exact) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("are numbers by name")
    numbers = {}
    for name, part in value.items():
        try:
            numbers[_text(name)] = read(part)
        except ValueError as error:
            raise ValueError(f"[{name}] {error}") from None
    return numbers


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "pair": lambda value: dict(instrument_of(_text(value))),
    "instrument": _object,
    "model": _text,
    "model_version": _text,
    "probabilities": _probabilities,
    "value": _value,
    "quantiles": _quantiles,
    "horizon": seconds,
    "confidence": number,
    "outlier": _flag,
    "target_pct": exact,
    "observed_at": instant_text,
    "produced_at": instant_text,
    "valid_until": instant_text,
    "features": _numbers,
    "idempotency_key": _text,
}
