"""The contract's scalars: exact decimals, UTC instants and identifiers, as Python values and as text on the wire."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from marshmallow import ValidationError, fields

MAX_DIGITS = 38
"""Digits of an exact decimal, before and after the point together: what a 128-bit decimal column holds."""

MAX_SEGMENT_BYTES = 128

_EXACT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:[0-5]\d)", re.ASCII)


def exact(text: str) -> Decimal:
    """Read an exact decimal as the wire spells it.

    Raises:
        ValueError: the text has an exponent, a sign ``+``, leading zeros, or more than 38 digits.
    """
    if len(text) > MAX_DIGITS + 2 or not _EXACT.fullmatch(text) or sum(map(str.isdigit, text)) > MAX_DIGITS:
        raise ValueError(f"{text[:80]!r} is not a decimal of at most {MAX_DIGITS} digits, such as 0.5 or -12")
    return Decimal(text)


def exact_text(value: Decimal) -> str:
    """Spell a decimal as the wire does, without an exponent and with every digit it has; zero has no sign.

    Raises:
        ValueError: not a number, infinite, or more than 38 digits: no reader would take it.
    """
    text = str(value)
    if len(text) <= MAX_DIGITS and text.replace(".", "").isdigit():
        return text  # as nearly all are: finite, without a sign and an exponent
    if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
        raise ValueError(f"{value} is not a decimal of at most {MAX_DIGITS} digits")
    text = plain_text(value or value.copy_abs())
    if len(text) > MAX_DIGITS and sum(map(str.isdigit, text)) > MAX_DIGITS:
        raise ValueError(f"{text[:80]} has more than {MAX_DIGITS} digits")
    return text


def plain_text(value: Decimal) -> str:
    """Spell a decimal without an exponent; ``str`` does the same in a third of the time where none is needed."""
    text = str(value)
    return format(value, "f") if "E" in text else text


def instant(text: str) -> datetime:
    """Read an RFC 3339 instant as an aware UTC datetime; digits past the microsecond are cut.

    Raises:
        ValueError: no such day or time (a leap second included: no clock here has one), a year outside 1 to 9999, or no
            offset: a time without a zone is not an instant.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not an RFC 3339 time with an offset, such as 2026-11-22T10:15:01.123456Z")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time: {error}") from None


def instant_text(value: datetime) -> str:
    """Spell an aware instant as the wire does: UTC, microseconds, ``Z``.

    Raises:
        ValueError: it is naive: a time without a zone is not an instant.
    """
    if value.tzinfo is not UTC and value.utcoffset() is None:
        raise ValueError(f"{value} has no zone")
    return micros_text(to_micros(value))


def micros_text(micros: int) -> str:
    """Spell microseconds since the epoch as ``instant_text`` does."""
    seconds, rest = divmod(micros, 1_000_000)
    return f"{_second_text(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=1024)
def _second_text(seconds: int) -> str:
    """Spell a second since the epoch; most instants of a moment share a few."""
    return from_micros(seconds * 1_000_000).isoformat()[:-6]


def from_micros(micros: int) -> datetime:
    """Turn microseconds since the epoch into an aware UTC datetime, exactly."""
    return _EPOCH + timedelta(0, 0, micros)


def to_micros(value: datetime) -> int:
    """Turn an aware datetime into microseconds since the epoch, exactly."""
    delta = value - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_name(text: str) -> bool:
    """Say whether the text can name a bot, a source, a client or an instance: ``[A-Za-z0-9_-]``, 1 to 128."""
    return _NAME.fullmatch(text) is not None


class ExactDecimal(fields.Field[Decimal]):
    """An exact decimal: a string on the wire, a Decimal in Python."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:  # noqa: ARG002
        if not isinstance(value, str):
            raise ValidationError('must be a decimal as a string, such as "0.5"')
        try:
            return exact(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def _serialize(self, value: Decimal | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else exact_text(value)


class Instant(fields.Field[datetime]):
    """A UTC instant: RFC 3339 on the wire, an aware datetime in Python."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # noqa: ARG002
        if not isinstance(value, str):
            raise ValidationError('must be a time as a string, such as "2026-11-22T10:15:01Z"')
        try:
            return instant(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else instant_text(value)


class Choice(fields.Enum[Any]):
    """One word of a closed list: a string on the wire, a StrEnum member in Python."""

    def __init__(self, words: type[StrEnum], **options: Any) -> None:
        super().__init__(words, by_value=True, **options)
        self._members: dict[str, StrEnum] = {word.value: word for word in words}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        member = self._members.get(value) if isinstance(value, str) else None
        if member is None:
            raise ValidationError(f"must be one of: {', '.join(self._members)}")
        return member


class Number(fields.Field[float]):
    """A finite JSON number; neither a string nor true or false."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:  # noqa: ARG002
        if not is_number(value):
            raise ValidationError("must be a finite number")
        number: float = value
        return number


def is_number(value: Any) -> bool:
    """Say whether a JSON value is a number that a double can hold."""
    return value.__class__ in {int, float} and -_LARGEST <= value <= _LARGEST


_LARGEST = sys.float_info.max


class Flag(fields.Boolean):
    """``true`` or ``false``, and nothing that resembles them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002
        if value.__class__ is not bool:
            raise ValidationError("must be true or false")
        flag: bool = value
        return flag


class Object(fields.Dict):
    """A JSON object, kept as it is; ``values`` is the field that reads each of its values, if one is given."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("must be an object")
        if self.value_field is None:
            return value
        read, faults = {}, {}
        for name, inner in value.items():
            try:
                read[name] = self.value_field.deserialize(inner, attr, data, **kwargs)
            except ValidationError as error:
                faults[name] = error.messages
        if faults:
            raise ValidationError(faults)
        return read


class Name(fields.String):
    """A name that is also a topic segment, unencoded."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not is_name(text):
            raise ValidationError("must have only A-Z a-z 0-9 _ and -, 1 to 128 of them")
        return text
