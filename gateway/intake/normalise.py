"""Station: what a document means. Strict where money is concerned: what is not certain is refused or left unknown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.errors import Code, Refused
from gateway.formats import keyed
from gateway.intake import canonical, details, values
from gateway.intake.batch import MAX_FAULTS, Document
from gateway.intake.direction import Direction, direction, effect
from gateway.intake.placeholder import OPENING, unfilled
from gateway.intake.reading import Reading
from gateway.intake.source import Source
from gateway.intake.symbol import Ticker, instrument
from schemas.alert import Alert
from schemas.errors import Fault
from schemas.instrument import Instrument
from schemas.trade import Action, Effect, Position, Trade

_MAX_BESIDE = 64


def normalise(document: Document, *, source: Source) -> Trade | Alert:
    """Make a signal of a document that ``parse`` gave: a trade where it names an action or a position, else an alert.

    Raises:
        Refused: INVALID, with the field, the text found and the likely cause.
    """
    if isinstance(document, str):
        message = values.text("", document.strip(), limit=values.MAX_TEXT)
        return Alert(message=message, instrument=source.instrument)
    if not document:
        raise values.refused("", "the object is empty", None, "Put the signal's fields into it.")
    if canonical.is_canonical(document):
        _check_filled(document)
        return canonical.trade(document, source=source)
    reading = Reading(keyed.read(document))
    towards = direction(reading)
    if towards is None:
        return _alert(Reading(keyed.read(document)), source)
    _check_filled(document)
    return _trade(reading, towards, source)


def _check_filled(document: dict[str, Any]) -> None:
    faults: list[Fault] = []
    _find_unfilled(document, "", faults)
    if faults:
        raise Refused(Code.INVALID, *faults[:MAX_FAULTS])


def _find_unfilled(container: dict[str, Any] | list[Any], path: str, faults: list[Fault]) -> None:
    for key, value in container.items() if isinstance(container, dict) else enumerate(container):
        kind = value.__class__
        if kind is str and OPENING in value:
            faults.append(unfilled(_inside(path, key), value))
        elif kind is dict or kind is list:
            _find_unfilled(value, _inside(path, key), faults)


def _inside(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _trade(reading: Reading, towards: Direction, source: Source) -> Trade:
    amount = details.quantity(reading, towards.action)
    reduce_only = reading.read("reduce_only", values.flag)
    impact = effect(towards, quantity=amount, reduce_only=reduce_only)
    market = _instrument(reading, source)
    order = details.order(reading, amount=amount, reduce_only=reduce_only, entry=_entry(towards.action, impact))
    fired_at, opened_at = details.times(reading)
    bar = details.bar(reading, opened_at)
    strategy, account = details.text(reading, "strategy"), details.text(reading, "account")
    message = details.text(reading, "message", limit=values.MAX_TEXT)
    key = reading.read("idempotency_key", _key)
    indicators = details.indicators(reading)
    reading.finish()
    return Trade(
        action=towards.action,
        instrument=_named(market),
        effect=impact,
        position=None if towards.position == _NO_POSITION else towards.position,
        order=order,
        bar=bar,
        fired_at=fired_at,
        strategy=strategy,
        account=account,
        indicators=indicators,
        message=message,
        idempotency_key=key,
        extra=reading.extra,
        inferred=tuple(reading.inferred),
    )


_NO_POSITION = Position()


def _named(market: Instrument | None) -> Instrument:
    if market is None:
        cause = "Send ticker, symbol or pair, or give the source an instrument in the configuration."
        raise values.refused("ticker", "the trade names no instrument", None, cause)
    return market


def _entry(action: Action, impact: Effect) -> str | None:
    """The side that the signal may open: stops named for it, such as ``long SL``, are then its own."""
    if impact is Effect.REDUCE:
        return None
    return "long" if action is Action.BUY else "short"


def _instrument(reading: Reading, source: Source) -> Instrument | None:
    place = reading.place("symbol")
    beside = [_beside(reading, field) for field in ("exchange", "base", "quote")]
    if place is None or not isinstance(place[1], str):
        if place is not None:
            reading.leave(*place)
        return source.instrument
    path, raw = place
    return reading.attempt(lambda where, text: instrument(Ticker(text, *beside), source=source, where=where), path, raw)


def _beside(reading: Reading, field: str) -> str | None:
    place = reading.place(field)
    if place is None:
        return None
    if isinstance(place[1], str) and len(place[1]) <= _MAX_BESIDE:
        return place[1]
    reading.leave(*place)
    return None


def _key(path: str, value: Any) -> str | None:
    key = values.text(path, value)
    return key.strip() or None if key is not None else None


def _alert(reading: Reading, source: Source) -> Alert:
    """Keep what an alert says: its message, its instrument and time where they can be read, the rest as it is."""
    message = _first_text(reading)
    market = _instrument(reading, source)
    fired_at = _first_time(reading)
    reading.finish()
    return Alert(message=message, instrument=market, fired_at=fired_at, extra=reading.extra)


def _first_text(reading: Reading) -> str | None:
    found = None
    for field in ("message", "comment"):
        for path, value in reading.places(field):
            if found is None and isinstance(value, str):
                found = reading.attempt(
                    lambda where, text: values.text(where, text, limit=values.MAX_TEXT), path, value
                )
            else:
                reading.leave(path, value)
    return found


def _first_time(reading: Reading) -> datetime | None:
    found = None
    for field in ("fired_at", "time"):
        for path, value in reading.places(field):
            time = _readable(path, value) if found is None else None
            if time is None:
                reading.leave(path, value)
            found = found or time
    return found


def _readable(path: str, value: Any) -> datetime | None:
    try:
        return values.instant(path, value)
    except Refused:
        return None
