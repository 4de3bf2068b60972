"""The contract's scalars: exact decimals, UTC instants and identifiers, as Python values and as text on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields

MAX_DIGITS = 38
"""Digits of an exact decimal, before and after the point together: what a 128-bit decimal column holds."""

MAX_SEGMENT_BYTES = 128

_EXACT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def exact(text: str) -> Decimal:
    """Read an exact decimal as the wire spells it.

    Raises:
        ValueError: the text has an exponent, a sign ``+``, leading zeros, or more than 38 digits.
    """
    if len(text) > MAX_DIGITS + 2 or not _EXACT.fullmatch(text) or sum(map(str.isdigit, text)) > MAX_DIGITS:
        raise ValueError(f"{text[:80]!r} is not a decimal of at most {MAX_DIGITS} digits, such as 0.5 or -12")
    return Decimal(text)


def exact_text(value: Decimal) -> str:
    """Spell a finite decimal as the wire does, without an exponent and with every digit it has."""
    if not value.is_finite():
        raise ValueError(f"{value} is not a number")
    text = format(value, "f")
    return "0" if value == 0 and text.startswith("-") and "." not in text else text


def instant(text: str) -> datetime:
    """Read an RFC 3339 instant as an aware UTC datetime; digits past the microsecond are cut.

    Raises:
        ValueError: no such day or time, or no offset: a time without a zone is not an instant.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is not an RFC 3339 time with an offset, such as 2026-11-22T10:15:01.123456Z")
    return datetime.fromisoformat(text).astimezone(UTC)


def instant_text(value: datetime) -> str:
    """Spell an aware instant as the wire does: UTC, microseconds, ``Z``."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def from_micros(micros: int) -> datetime:
    """Turn microseconds since the epoch into an aware UTC datetime, exactly."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


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
            raise ValidationError('is a decimal as a string, such as "0.5"')
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
            raise ValidationError('is a time as a string, such as "2026-11-22T10:15:01Z"')
        try:
            return instant(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else instant_text(value)


class Name(fields.String):
    """A name that is also a topic segment, unencoded."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not is_name(text):
            raise ValidationError("has only A-Z a-z 0-9 _ and -, 1 to 128 of them")
        return text
