"""Times as other programs write them: numbers in seconds, milliseconds, microseconds or nanoseconds, and strings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from marshmallow import ValidationError, fields

from schemas.fields import instant, is_number, to_micros

_UNITS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
"""Below a value, how many microseconds one of it has: seconds end in the year 5138, and milliseconds began in 1973."""

_NANOSECONDS = 10**20
_LONGEST = 40


def any_time(value: Any) -> int | None:
    """Read a time of any unit as microseconds since the epoch; the unit follows from its size.

    Hummingbot alone writes four (heartbeats in microseconds, availability in milliseconds, events in seconds, logs in
    seconds with a fraction), commlib-py 0.13 nanoseconds, and Hummingbot's notifications the string "-1".

    Returns:
        None for what is no time: negative, zero, not a number, or text that is neither a number nor RFC 3339.
    """
    if isinstance(value, str):
        if len(value) > _LONGEST or not value.isascii():
            return None
        if (said := _instant(value)) is not None:
            return said if said > 0 else None
        value = _number(value)
    if not is_number(value) or not 0 < value < _NANOSECONDS:
        return None
    for below, micros in _UNITS:
        if value < below:
            return int(value * micros)
    return int(value) // 1_000


class Moment(fields.Field[int]):
    """A time of any unit; microseconds since the epoch in Python."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ARG002
        moment = any_time(value)
        if moment is None:
            raise ValidationError("must be a time, such as 1786000000000 (milliseconds)")
        return moment


def _instant(text: str) -> int | None:
    with suppress(ValueError):
        return to_micros(instant(text))
    return None


def _number(text: str) -> float | None:
    with suppress(ValueError):
        return int(text) if text.isdigit() else float(text)
    return None
