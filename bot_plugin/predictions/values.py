"""Numbers and times as pipelines have them, NumPy's and pandas' included, and as the wire spells them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DIGITS = 38

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def number(value: Any) -> float:
    """Read a number.

    Raises:
        ValueError: it is none, or not a finite one.
    """
    if isinstance(value, bool | str | bytes):
        raise ValueError(f"has {value!r:.80}, which is not a number")  # noqa: TRY004  # one error for all of it
    try:
        read = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"has {value!r:.80}, which is not a number") from None
    if not math.isfinite(read):
        raise ValueError(f"has {read}, which is not a finite number")
    return read


def number_or_exact(value: Any) -> float | str:
    """Read a number; a Decimal goes out with all its digits, as a string.

    Raises:
        ValueError: it is none, or not a finite one.
    """
    return exact(value) if isinstance(value, Decimal) else number(value)


def exact(value: Any) -> str:
    """Spell an exact decimal without an exponent.

    Raises:
        ValueError: it is none, or has more than 38 digits.
    """
    try:
        read = Decimal(value) if isinstance(value, str | Decimal) else Decimal(repr(number(value)))
    except InvalidOperation:
        raise ValueError(f"has {value!r:.80}, which is not a number") from None
    if not read.is_finite() or abs(read.adjusted()) > MAX_DIGITS:
        raise ValueError(f"has {value!r:.80}, which is not a decimal of at most {MAX_DIGITS} digits")
    text = format(read or read.copy_abs(), "f")
    if sum(map(str.isdigit, text)) > MAX_DIGITS:
        raise ValueError(f"has {text:.80}, which has more than {MAX_DIGITS} digits")
    return text.removesuffix(".0")


def seconds(value: Any) -> float:
    """Read a duration: seconds, a timedelta, or ``"1h"``.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if not isinstance(value, str):
        return number(value)
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError(f'is seconds, a timedelta, or text such as "15m", "1h" and "1d", not {value!r:.80}')
    return float(match[1]) * _SECONDS[match[2]]


def instant_text(value: Any) -> str:
    """Spell an instant: RFC 3339, UTC, microseconds.

    Raises:
        ValueError: it is none, or has no zone.
    """
    if isinstance(value, str):
        value = instant(value)
    if not isinstance(value, datetime):
        raise ValueError(f"is a datetime with a zone, or RFC 3339 text, not {value!r:.80}")  # noqa: TRY004
    if value.utcoffset() is None:
        raise ValueError(f"has no zone: {value} may be any of a day's hours; give it tzinfo=UTC, or its own zone")
    utc = value.astimezone(UTC)
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S.%f}Z"


def instant(text: str) -> datetime:
    """Read RFC 3339 text.

    Raises:
        ValueError: it is none.
    """
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"is RFC 3339 with a zone, such as 2026-11-22T10:15:00Z, not {text!r:.80}")
