"""Station: what a document of a source of predictions means; strict, as bots trade on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from gateway.errors import Code, Refused
from gateway.intake.batch import MAX_FAULTS, Document
from gateway.intake.source import Predictions, Source
from gateway.intake.symbol import Ticker, instrument, told
from schemas.errors import ContractError, Fault
from schemas.fields import exact_text, to_micros
from schemas.instrument import Instrument
from schemas.prediction import Prediction, PredictionSchema, ProbabilitiesSchema
from schemas.record import load
from schemas.secrets import REDACTED
from schemas.topics import TopicError, Topics

LIKE = 0.85
"""From which likeness on an unknown name is a slip of a known one; 1 is the same."""

_SECOND = 1_000_000
_AHEAD = 5 * _SECOND
"""How far a sender's clock may be ahead: bots refuse what is further in the future."""

_WHOLE = 15
_MAX_KEY = 80
_ML_SIGNALS = "The source has hummingbot.ml_signals: stock bots read probabilities, by pair."
_CLASSES = frozenset(ProbabilitiesSchema().fields)
_SHOWN = 3
_KEYS = frozenset(PredictionSchema().fields) | {"pair"}


def predict(document: Document, *, source: Source, accepted_at: int) -> Prediction:
    """Make a prediction of a document that ``parse`` gave.

    Beside the contract's own spelling it takes ``pair`` or a text as the instrument, or none where the source fixes it;
    a text as the model, or none where the source has one; and a list of probabilities where the source says what its
    entries are.

    Args:
        document: the document.
        source: a source of predictions.
        accepted_at: microseconds since the epoch.

    Raises:
        Refused: INVALID, with a fault for each thing that is wrong, at its place.
    """
    assert source.predictions is not None
    if not isinstance(document, dict):
        raise Refused(Code.INVALID, Fault(where="", problem="a prediction is a JSON object"))
    spelled, faults = _spelled(document, source.predictions)
    _name_instrument(spelled, source)
    try:
        loaded: Prediction = load(PredictionSchema, spelled)
    except ContractError as error:
        own = {fault.where for fault in faults}
        faults += [_explained(fault, spelled, source) for fault in error.faults if fault.where not in own]
        raise Refused(Code.INVALID, *faults[:MAX_FAULTS]) from None
    faults += _untimely(loaded, accepted_at)
    if source.predictions.ml_signals and loaded.probabilities is None:
        faults.append(Fault(where="probabilities", problem="is missing", cause=_ML_SIGNALS))
    if faults:
        raise Refused(Code.INVALID, *faults[:MAX_FAULTS])
    market = _market(loaded.instrument, document, source)
    if source.predictions.ml_signals:
        _ensure_sayable(market)
    return replace(loaded, instrument=market)


def _spelled(document: Mapping[str, Any], rules: Predictions) -> tuple[dict[str, Any], list[Fault]]:
    """The document as the contract spells it, and what is wrong with it beyond the contract."""
    spelled = {name: _plain(value) for name, value in document.items()}
    faults = [*_misspelled(document), *_redacted(spelled)]
    _name_model(spelled, rules)
    model = spelled.get("model")
    name = model.get("name") if isinstance(model, dict) else None
    if isinstance(name, str) and name and name not in rules.models:
        cause = f"Accepted: {', '.join(rules.models)}. The configuration names a source's models."
        faults.append(Fault(where="model.name", problem="is no model of this source", found=name[:80], cause=cause))
    if isinstance(spelled.get("probabilities"), list):
        faults += _name_probabilities(spelled, rules.classes)
    if isinstance(document.get("target_pct"), Decimal):
        spelled["target_pct"] = _exactly(document["target_pct"])
    return spelled, faults


def _name_model(spelled: dict[str, Any], rules: Predictions) -> None:
    model = spelled.get("model")
    if isinstance(model, str):
        spelled["model"] = {"name": model}
    elif len(rules.models) == 1 and (model is None or (isinstance(model, dict) and model.get("name") is None)):
        spelled["model"] = {**(model or {}), "name": rules.models[0]}


def _name_instrument(spelled: dict[str, Any], source: Source) -> None:
    found = spelled.get("instrument")
    text = spelled.get("pair") if found is None else found
    if text is None and source.instrument is not None:
        text = source.instrument.raw
    if isinstance(text, str):
        spelled["instrument"] = {"raw": text}


def _name_probabilities(spelled: dict[str, Any], classes: tuple[str, ...]) -> Iterator[Fault]:
    """Name the entries of a list, as the source says what they are."""
    entries = spelled["probabilities"]
    if classes and len(entries) == len(classes):
        spelled["probabilities"] = dict(zip(classes, entries, strict=True))
    elif classes:
        problem = f"has {len(entries)} entries; this source's are {', '.join(classes)}"
        yield Fault(where="probabilities", problem=problem)
    else:
        cause = "Send short, neutral and long by name, or name the source's classes in the configuration."
        yield Fault(where="probabilities", problem="is a list, and nothing says what its entries are", cause=cause)


def _misspelled(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Fields that are nearly those of the contract: read as unknown ones, what they say would be lost."""
    for name in document:
        near = [] if name in _KEYS or len(name) > _MAX_KEY else get_close_matches(name, _KEYS, n=1, cutoff=LIKE)
        if near:
            yield Fault(where=name, problem="is no field of a prediction", cause=f"Did you mean {near[0]}?")


def _redacted(spelled: Mapping[str, Any]) -> Iterator[Fault]:
    """Features whose names are those of secrets, so that their values were not read."""
    features = spelled.get("features")
    for name, value in features.items() if isinstance(features, dict) else ():
        if value == REDACTED:
            cause = "Give the feature another name."
            yield Fault(where=f"features.{name[:_MAX_KEY]}", problem="is named as a secret is", cause=cause)


def _explained(fault: Fault, spelled: Mapping[str, Any], source: Source) -> Fault:
    """The contract's fault with its likely cause, where the document tells one."""
    shares = spelled.get("probabilities")
    if fault.where == "probabilities" and isinstance(shares, dict):
        strange = [repr(name[:_MAX_KEY]) for name in shares if name not in _CLASSES]
        if strange:
            return replace(fault, cause=f"Not counted: {', '.join(strange[:_SHOWN])}. Name the classes as these are.")
    if fault == Fault(where="instrument", problem="is missing"):
        return replace(fault, cause='Send it, or a pair, such as "BTC-USDT".')
    if fault == Fault(where="model", problem="is missing") and source.predictions is not None:
        return replace(fault, cause=f"The source has several: {', '.join(source.predictions.models)}.")
    return fault


def _untimely(prediction: Prediction, accepted_at: int) -> Iterator[Fault]:
    observed_at, produced_at = prediction.observed_at, prediction.produced_at
    if produced_at is not None and (ahead := _after(produced_at, accepted_at)) > _AHEAD:
        problem = f"is {ahead / _SECOND:.1f} s ahead of the gateway's clock"
        yield Fault(where="produced_at", problem=problem, cause="Let NTP set the clocks of both machines.")
    if observed_at is None:
        return
    cause = "Send the close of the last candle that is finished, in UTC. Or a clock is wrong."
    if (ahead := _after(observed_at, accepted_at)) > _AHEAD:
        yield Fault(where="observed_at", problem=f"the candle closes {ahead / _SECOND:.1f} s from now", cause=cause)
    elif produced_at is not None and (ahead := _after(observed_at, to_micros(produced_at))) > _AHEAD:
        problem = f"the candle closes {ahead / _SECOND:.1f} s after produced_at"
        yield Fault(where="observed_at", problem=problem, cause=cause)


def _after(value: datetime, other: int) -> int:
    return to_micros(value) - other


def _market(given: Instrument, document: Mapping[str, Any], source: Source) -> Instrument:
    if isinstance(document.get("instrument"), dict):
        return told(given, source=source, where="instrument")
    where = "pair" if document.get("instrument") is None else "instrument"
    return instrument(Ticker(given.raw), source=source, where=where) or given


def _ensure_sayable(market: Instrument) -> None:
    """Make sure that stock bots can be told: what they never hear must not be answered as accepted."""
    if market.pair is None:
        raise Refused(Code.INVALID, Fault(where="instrument", problem="has no pair", cause=_ML_SIGNALS))
    try:
        Topics().ml_signals(market.pair)
    except TopicError as error:
        problem = f"has no place among ML signals: {error}"
        raise Refused(Code.INVALID, Fault(where="instrument.pair", problem=problem, cause=_ML_SIGNALS)) from None


def _plain(value: Any) -> Any:
    """Turn the Decimals in a JSON value into the numbers that models mean: doubles."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.adjusted() < _WHOLE else float(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _exactly(value: Decimal) -> Any:
    try:
        return exact_text(value)
    except ValueError:
        return format(value, "E")
