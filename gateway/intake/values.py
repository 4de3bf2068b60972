"""Raw values to exact ones: numbers, quantities, times, flags and texts. Each reader refuses what it cannot be sure of.

A reader takes the field's path and the value as sent, returns None for what is absent, and raises Refused (INVALID)
with the field, the text found and the likely cause.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from gateway.errors import Code, Refused
from gateway.formats import UNITS, meaning
from gateway.intake.placeholder import OPENING, unfilled
from schemas.errors import Fault
from schemas.fields import MAX_DIGITS, plain_text
from schemas.trade import Quantity, Unit

MAX_SHORT = 256
MAX_TEXT = 4096

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,60}\.?[0-9]{0,60}|\.[0-9]{1,60})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_SHORT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_MAX_SHORT_NUMBER = 32
_MAX_BLANK = 80
_ABSENT = frozenset({"", "null"})
_NAN = frozenset({"nan", "na", "n/a", "none", "undefined"})
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\d*(?: ?(Z|UTC|[+-]\d\d:?\d\d))?", re.ASCII
)
_TIMENOW = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_TIMENOW_LENGTH = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1), (10**20, Decimal("0.001")))
"""A number of time below the first is counted in units of so many microseconds: s, ms, us, ns."""


def refused(where: str, problem: str, found: Any = None, cause: str = "") -> Refused:
    """Build the refusal of one field."""
    text = None if found is None else str(found)[:80]
    return Refused(Code.INVALID, Fault(where=where, problem=problem, found=text, cause=cause))


def is_absent(value: Any) -> bool:
    """Say whether a value is none: ``null``, or an empty text, or the text ``null``."""
    if value.__class__ is str:
        return len(value) <= _MAX_BLANK and value.strip() in _ABSENT
    return value is None


def is_missing(value: Any) -> bool:
    """Say whether a value is none or Pine's ``na``, however it is spelled."""
    return is_absent(value) or (value.__class__ is str and value.strip().lower() in _NAN)


def number(where: str, value: Any) -> Decimal:
    """Read an exact decimal of at most 38 digits from a JSON number or a text."""
    found = _spelled(where, value)
    if found is not None:
        return found
    if not isinstance(value, str):
        raise refused(where, "is not a number", value)
    text = value.strip()
    if OPENING in text:
        raise Refused(Code.INVALID, unfilled(where, text))
    raise refused(where, "is not a number", value, _why_no_number(text))


def _spelled(where: str, value: Any) -> Decimal | None:
    """The number that a value spells; None for what spells none. Most values do: nothing else is tried before."""
    kind = value.__class__
    if kind is str:
        if len(value) <= _MAX_SHORT_NUMBER and (short := _short(value)) is not None:
            return short
        spelled = value.strip()
        return _bounded(where, Decimal(spelled)) if _NUMBER.fullmatch(spelled) else None
    return _bounded(where, value) if kind is Decimal else None


@lru_cache(maxsize=4096)
def _short(text: str) -> Decimal | None:
    """A number as nearly all are sent; many come again, such as sizes."""
    return _unsigned_zero(Decimal(text)) if _SHORT.fullmatch(text) else None


def _unsigned_zero(value: Decimal) -> Decimal:
    return value or value.copy_abs()


def _bounded(where: str, value: Decimal) -> Decimal:
    if abs(value.adjusted()) <= MAX_DIGITS:
        text = plain_text(value)
        if len(text) <= MAX_DIGITS or sum(map(str.isdigit, text)) <= MAX_DIGITS:
            return _unsigned_zero(value)
    raise refused(
        where, f"has more than {MAX_DIGITS} digits", value, "Round it, in Pine with str.tostring and a format."
    )


def _why_no_number(text: str) -> str:
    if text.lower() in _NAN:
        return "The script had no value on this bar (Pine's na). Send the alert only when it has one, or send null."
    if "," in text:
        return "Write it without thousands separators and with a point: 1234.5."
    if text.endswith("%"):
        return "A percentage is no price. Send the price itself."
    if re.search(r"\d\s*[-+*/]\s*\d", text):
        return "A calculation is not carried out. Send its result: in Pine, build the message with str.tostring."
    return "Send digits with a point, such as 0.5."


def price(where: str, value: Any) -> Decimal | None:
    """Read the order's price, never negative; NaN is refused, as the sender meant one."""
    found = _spelled(where, value)
    if found is None:
        return None if is_absent(value) else number(where, value)
    if found < 0:
        raise refused(where, "a price is not negative", value)
    return found


def level(where: str, value: Any) -> Decimal | None:
    """Read an optional stop, target, offset or leverage: 0 and NaN are absent, as scripts send them for none."""
    found = measured(where, value)
    if found is not None and found < 0:
        raise refused(where, "is negative", value, "Send the price, or a distance above 0, itself.")
    return found or None


def size(where: str, value: Any) -> Decimal | None:
    """Read a position's size, never negative; NaN is absent."""
    found = measured(where, value)
    if found is not None and found < 0:
        raise refused(where, "a size is not negative", value, "The position's side is a field of its own.")
    return found


def measured(where: str, value: Any) -> Decimal | None:
    """Read a bar's value or a position's signed size; NaN is absent."""
    found = _spelled(where, value)
    return number(where, value) if found is None and not is_missing(value) else found


def leverage(where: str, value: Any) -> Decimal | None:
    """Read ``10``, ``"10"`` or ``"10x"``."""
    text = value.strip() if isinstance(value, str) else value
    return level(where, text[:-1] if isinstance(text, str) and text[-1:] in {"x", "X"} else value)


def quantity(where: str, value: Any, unit: Unit | None) -> Quantity | None:
    """Read a quantity above 0; ``"50%"`` is a percentage whatever ``unit`` says. NaN is refused."""
    if is_absent(value):
        return None
    text = value.strip() if isinstance(value, str) else ""
    percent = text.endswith("%") and unit is not Unit.RISK_PERCENT
    found = number(where, text[:-1] if text.endswith("%") else value)
    if found < 0:
        raise refused(where, "a quantity is not negative", value, "The action says buy or sell; the quantity how much.")
    if found == 0:
        return None
    return Quantity(value=found, unit=Unit.PERCENT if percent else unit or Unit.CONTRACTS)


def unit(where: str, value: Any) -> Unit | None:
    """Read what a quantity counts."""
    if is_absent(value):
        return None
    found = meaning(UNITS, value)
    if found is None:
        cause = "Accepted: contracts, fixed, base, quote, usd, percent, percent_of_equity, risk_percent."
        raise refused(where, "is not a unit of a quantity that is understood", value, cause)
    return found


def flag(where: str, value: Any) -> bool | None:
    """Read true or false, also as a text or 1 and 0."""
    if is_absent(value):
        return None
    text = str(value).strip().lower()
    if text not in {"true", "false", "1", "0"}:
        raise refused(where, "is not true or false", value)
    return text in {"true", "1"}


def instant(where: str, value: Any) -> datetime | None:
    """Read ISO 8601 with a zone, or seconds, milliseconds, micro- or nanoseconds since 1970, told by magnitude."""
    text = value.strip() if isinstance(value, str) else ""
    if len(text) == _TIMENOW_LENGTH and (now := _timenow(text)) is not None:
        return now
    iso = _TIME.fullmatch(text)
    if iso is None and is_missing(value):
        return None
    try:
        if iso is not None:
            return _iso(where, value, *iso.groups())
        since_1970 = number(where, value)
        scale = next(scale for limit, scale in _MICROSECONDS if 0 <= since_1970 < limit)
        return _EPOCH + timedelta(microseconds=int(since_1970 * scale))
    except (ValueError, OverflowError, StopIteration, Refused) as error:
        if isinstance(error, Refused) and (OPENING in text or "zone" in str(error)):
            raise
        raise refused(where, "is not a time", value, "Send {{timenow}}, such as 2026-11-22T10:15:01Z.") from None


@lru_cache(maxsize=1024)
def _timenow(text: str) -> datetime | None:
    """An instant as TradingView's {{timenow}} spells it; all alerts of a second have the same."""
    try:
        return datetime.fromisoformat(text) if _TIMENOW.fullmatch(text) else None
    except ValueError:
        return None


def _iso(where: str, value: Any, day: str, clock: str, zone: str | None) -> datetime:
    if zone is None:
        raise refused(where, "is a time without a zone", value, "Send {{timenow}}, which is UTC and ends in Z.")
    zone = "+00:00" if zone in {"Z", "UTC"} else zone
    return datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)


def text(where: str, value: Any, *, limit: int = MAX_SHORT) -> str | None:
    """Read a text, or a number as it was sent; None for an empty one.

    Control characters are kept.
    """
    if value is None or value == "":
        return None
    if isinstance(value, Decimal):
        value = format(value, "f")
    if not isinstance(value, str):
        raise refused(where, "is not a text", value)
    if len(value) > limit:
        raise refused(where, f"has {len(value)} characters; it may have {limit}", value)
    return value


def plain(value: Any) -> Any:
    """Turn the Decimals in a JSON value into numbers where those are exact, else into texts."""
    if isinstance(value, Decimal):
        return _plain_number(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def _plain_number(value: Decimal) -> int | float | str:
    if value == value.to_integral_value() and value.adjusted() < 15:  # noqa: PLR2004
        return int(value)
    double = float(value)
    return double if Decimal(repr(double)) == value else str(value)
