"""What to do and what it does to the position: action, effect and position, from all that a document says of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from gateway.errors import Code, Refused
from gateway.formats import ACCEPTED_ACTIONS, ACTIONS, SIDES, Intent, meaning
from gateway.intake.placeholder import OPENING, unfilled
from gateway.intake.reading import Reading
from gateway.intake.values import measured, refused, size
from schemas.trade import Action, Effect, Position, Quantity, Side, Unit, contradiction

_OPPOSITE = {Side.LONG: Side.SHORT, Side.SHORT: Side.LONG}
_TOWARDS = {Side.LONG: Action.BUY, Side.SHORT: Action.SELL}
_FLAGS = {"buy": Intent(Action.BUY), "sell": Intent(Action.SELL), "close": ACTIONS["close"]}
_MAX_WORD = 24


@dataclass(frozen=True, slots=True)
class Direction:
    """What a document asks for; ``where`` is the field that says so."""

    action: Action
    position: Position
    where: str
    intended: Effect | None = None


def direction(reading: Reading) -> Direction | None:
    """Read action and position; None where the document names neither: it is no trade.

    Raises:
        Refused: INVALID: an action or position that is not understood, or that contradict each other.
    """
    stated, empty = _stated(reading)
    position = _position(reading)
    if not stated and position.target is None:
        if empty is None:
            return None
        cause = "{{strategy.order.action}} is filled only in alerts on a strategy. Accepted: " + ACCEPTED_ACTIONS
        raise refused(empty, "the action is empty", "", cause)
    where, intent = _combined(stated, reading) if stated else ("", Intent(None))
    action = intent.action or _worked_out(intent, position, where)
    if intent.action is None:
        reading.inferred.append("action")
    position = _completed(position, intent, action, reading)
    _check(action, intent, position, where)
    return Direction(action, position, where, intent.effect)


def _stated(reading: Reading) -> tuple[list[tuple[str, Intent]], str | None]:
    found: list[tuple[str, Intent]] = []
    absent = reading.absent("action") or reading.absent("side")
    for field in ("action", "side", "signal", "kind"):
        for path, value in reading.places(field):
            intent = _intent(field, path, value, known=bool(found))
            if intent is None:
                reading.give_back("order_word" if field == "kind" else "left_over", path, value)
            else:
                found.append((path, intent))
    for field, intent in _FLAGS.items():
        place = reading.place(field)
        if place is not None and str(place[1]).lower() in {"true", "1"}:
            found.append((place[0], intent))
    return found, absent


def _intent(field: str, path: str, value: Any, *, known: bool) -> Intent | None:
    intent = meaning(ACTIONS, value)
    if intent is not None or value.__class__ is bool:
        return intent
    if isinstance(value, str) and OPENING in value:
        raise Refused(Code.INVALID, unfilled(path, value))
    word = isinstance(value, str) and len(value) <= _MAX_WORD and not any(map(str.isspace, value.strip()))
    if field == "action" or (field == "side" and not known) or (field == "signal" and not known and word):
        raise refused(path, "is not an action that is understood", value, f"Accepted: {ACCEPTED_ACTIONS}.")
    return None


def _combined(stated: list[tuple[str, Intent]], reading: Reading) -> tuple[str, Intent]:
    where, intent = stated[0]
    for path, other in stated[1:]:
        intent = _both(where, intent, path, other)
    hedged = reading.read("position_side", lambda _, value: meaning(SIDES, value))
    if hedged in _OPPOSITE and intent.action in {Action.BUY, Action.SELL} and intent.side in {None, hedged}:
        opens = _TOWARDS[hedged] is intent.action
        intent = Intent(intent.action, hedged, Effect.OPEN if opens else Effect.REDUCE)
    return where, intent


def _both(where: str, intent: Intent, path: str, other: Intent) -> Intent:
    """Join two statements: ``open`` and ``short``, ``close`` and ``long``, ``sell`` and ``exit``."""
    first, second = intent.action, other.action
    if first is None and intent.effect is Effect.REDUCE and other.side is not None and second in _TOWARDS.values():
        return Intent(_TOWARDS[_OPPOSITE[other.side]], other.side, Effect.REDUCE)
    if first is None:
        return Intent(second, other.side, intent.effect)
    if first is Action.CANCEL or second is None or (first is Action.CLOSE and second is not Action.CANCEL):
        side = intent.side or (other.side if first is Action.CLOSE else None)
        return Intent(first, side, intent.effect or other.effect)
    if second is Action.CLOSE:
        return Intent(first, None, Effect.REDUCE)
    if first is not second:
        problem = f"says {first}, but {path} says {second}"
        raise refused(
            where, problem, first, "Send one of the two; to close a long, say closelong or send market_position."
        )
    return Intent(first, intent.side or other.side, intent.effect or other.effect)


def _position(reading: Reading) -> Position:
    target = _side(reading, "target", strict=True) or _side(reading, "sentiment", strict=False)
    previous = _side(reading, "previous", strict=True)
    return Position(
        target=target,
        size=reading.read("size", size),
        previous=previous,
        previous_size=reading.read("previous_size", size),
    )


def _side(reading: Reading, field: str, *, strict: bool) -> Side | None:
    place = reading.place(field)
    if place is None:
        return None
    path, value = place
    side = meaning(SIDES, value)
    if side is None:
        if isinstance(value, str) and OPENING in value:
            raise Refused(Code.INVALID, unfilled(path, value))
        if strict:
            raise refused(path, "is not a position that is understood", value, "Accepted: long, short, flat.")
        reading.leave(path, value)
    return side


def _worked_out(intent: Intent, position: Position, where: str) -> Action:
    target, previous = position.target, position.previous
    if intent.effect is not None:  # add or reduce: the position's side decides
        side = next((side for side in (target, previous) if side in _OPPOSITE), None)
        if side is not None:
            return _TOWARDS[side] if intent.effect is Effect.OPEN else _TOWARDS[_OPPOSITE[side]]
        cause = "Send market_position (long or short) too, or say buy or sell."
        raise refused(where, "the action does not say on which side, and no position does", None, cause)
    if target is Side.FLAT or target is None:
        return Action.CLOSE
    if target is not previous:
        return _TOWARDS[target]
    size, before = position.size, position.previous_size
    if size is None or before is None or size == before:
        cause = "Send the action too: buy or sell."
        raise refused(
            "position", f"the position was {target} and stays {target}: the action cannot be told", None, cause
        )
    return _TOWARDS[target] if size > before else _TOWARDS[_OPPOSITE[target]]


def _completed(position: Position, intent: Intent, action: Action, reading: Reading) -> Position:
    signed = reading.place("signed_size")
    amount = None if signed is None else reading.attempt(measured, *signed)
    if signed is not None and amount is not None:
        side = Side.FLAT if amount == 0 else Side.LONG if amount > 0 else Side.SHORT
        if position.target is None and contradiction(action, side, position.previous) is None:
            position = replace(position, target=side)
            reading.inferred.append("position.target")
        if position.target is side and position.size in {None, abs(amount)}:
            position = replace(position, size=abs(amount))
        else:
            reading.leave(*signed)
    if intent.effect is Effect.REDUCE and intent.side is not None and position.previous is None:
        position = replace(position, previous=intent.side)
        reading.inferred.append("position.previous")
    return position


def _check(action: Action, intent: Intent, position: Position, where: str) -> None:
    target, previous = position.target, position.previous
    problem = contradiction(action, target, previous)
    if (
        problem is None
        and intent.effect is Effect.OPEN
        and intent.side is not None
        and target not in {None, intent.side}
    ):
        problem = f"what opens a {intent.side} cannot lead to a {target} position"
    if problem is None and intent.effect is Effect.REDUCE and intent.side in _OPPOSITE and previous is not intent.side:
        problem = f"what closes a {intent.side} does not fit a position that was {previous}"
    if problem is not None:
        cause = "Check action and market_position; for a partial exit, send {{strategy.prev_market_position}} too."
        raise refused(where or "position", problem, None, cause)


def effect(direction: Direction, *, quantity: Quantity | None, reduce_only: bool | None) -> Effect:
    """Say what an action does to the position; UNKNOWN where action and position leave it open."""
    action, position = direction.action, direction.position
    target, previous = position.target, position.previous
    if reduce_only or action in {Action.CLOSE, Action.CANCEL} or target is Side.FLAT:
        return Effect.REDUCE
    if direction.intended is not None:
        return direction.intended
    if target is None:
        return _from_previous(action, previous, position.previous_size, quantity)
    if previous is not target:
        return Effect.OPEN
    size, before = position.size, position.previous_size
    if size is not None and before is not None and size != before:
        return Effect.OPEN if size > before else Effect.REDUCE
    return Effect.OPEN if action is _TOWARDS[target] else Effect.REDUCE


def _from_previous(action: Action, previous: Side | None, size: Decimal | None, quantity: Quantity | None) -> Effect:
    if previous is None:
        return Effect.UNKNOWN
    if previous is Side.FLAT or action is _TOWARDS[previous]:
        return Effect.OPEN
    if size is None or quantity is None or quantity.unit not in {Unit.BASE, Unit.CONTRACTS}:
        return Effect.UNKNOWN
    return Effect.REDUCE if quantity.value <= size else Effect.OPEN
