"""Our own trade body, as programs send it: ``action`` and an ``instrument`` object."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.errors import Code, Refused
from gateway.intake.batch import Document
from gateway.intake.direction import Direction, effect
from gateway.intake.source import Source
from gateway.intake.symbol import told
from gateway.intake.values import plain, refused
from schemas.errors import ContractError, Fault
from schemas.fields import exact_text, instant
from schemas.record import load
from schemas.trade import Effect, Position, Trade, TradeSchema

_EXACT = frozenset({"order", "position", "bar", "indicators"})
_KEYS = frozenset(TradeSchema().fields) | {"valid_until", "causationid"}

CAUSE = re.compile(r"[!-~]{1,64}")
"""The id of what a trade was made of."""


def is_canonical(document: Document) -> bool:
    """Say whether a document is written as the contract spells a trade."""
    return isinstance(document, dict) and "action" in document and isinstance(document.get("instrument"), dict)


def demand(document: Document) -> None:
    """Refuse what is no canonical trade.

    Raises:
        Refused: INVALID, at what is missing.
    """
    members = document if isinstance(document, dict) else {}
    faults = []
    if "action" not in members:
        faults.append(Fault(where="action", problem="is missing", cause="A signal says buy, sell, close or cancel."))
    if not isinstance(members.get("instrument"), dict):
        cause = 'Send an object: {"raw": "BTC-USDT"}. What TradingView sends goes to a webhook.'
        faults.append(Fault(where="instrument", problem="is no object", cause=cause))
    if faults:
        raise Refused(Code.INVALID, *faults)


def trade(document: dict[str, Any], *, source: Source) -> Trade:
    """Load a canonical body; its effect is worked out, and taken from the body only where that leaves it open.

    Raises:
        Refused: INVALID, with a fault for each field that is wrong.
    """
    wire = {name: _exactly(name, value) if name in _EXACT else plain(value) for name, value in document.items()}
    try:
        loaded: Trade = load(TradeSchema, wire)
    except ContractError as error:
        raise Refused(Code.INVALID, *error.faults) from None
    order = loaded.order
    found = effect(
        Direction(loaded.action, loaded.position or Position(), "action"),
        quantity=order.quantity if order else None,
        reduce_only=order.reduce_only if order else None,
    )
    unknown = {name: value for name, value in wire.items() if name not in _KEYS}
    return replace(
        loaded,
        instrument=told(loaded.instrument, source=source, where="instrument"),
        effect=loaded.effect if found is Effect.UNKNOWN else found,
        extra={**loaded.extra, **unknown},
    )


def valid_until(document: Document) -> datetime | None:
    """Read when a canonical body stops being true; None where it does not say, or for any other document.

    Raises:
        Refused: INVALID: it is no RFC 3339 time.
    """
    if not (is_canonical(document) and isinstance(document, dict)) or document.get("valid_until") is None:
        return None
    value = document["valid_until"]
    try:
        return instant(value if isinstance(value, str) else "")
    except ValueError:
        raise refused("valid_until", "is not a time", value, "Send RFC 3339: 2026-11-22T10:15:01Z.") from None


def causationid(document: Document) -> str | None:
    """Read the id of the prediction, or of the signal, that a canonical trade was made of; None where it names none.

    Raises:
        Refused: INVALID: it is no id.
    """
    if not (is_canonical(document) and isinstance(document, dict)) or document.get("causationid") is None:
        return None
    value = document["causationid"]
    if not (isinstance(value, str) and CAUSE.fullmatch(value)):
        cause = "Send the id that the prediction was answered with: 1 to 64 visible ASCII characters."
        raise refused("causationid", "is not an id", value, cause)
    return value


def _exactly(path: str, value: Any) -> Any:
    if isinstance(value, Decimal):
        try:
            return exact_text(value)
        except ValueError as error:
            raise refused(path, str(error), value) from None
    if isinstance(value, dict):
        return {name: _exactly(f"{path}.{name}", inner) for name, inner in value.items()}
    return [_exactly(path, inner) for inner in value] if isinstance(value, list) else value
