"""How what a strategy tells becomes JSON: as Hummingbot spells it, and without this bot's own secrets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any

from schemas.document import MAX_DEPTH
from schemas.secrets import REDACTED, redact_text

MAX_TEXT = 8_192
"""Characters of a log line or a notification: a longer one loses its middle, as a traceback ends with its error."""

_TAIL = 2_048
_MAX_READ = 100_000
"""Characters of a log line in which secrets are looked for."""


class Spelling:
    """Spells what is told.

    Args:
        secrets: this bot's own, such as its password; they are replaced wherever they stand.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        longest_first = sorted(filter(None, secrets), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def value(self, value: Any, *, depth: int = 1) -> Any:
        """Spell any value: exact and other numbers as numbers, what is no number as null, enums and the rest as text.

        Raises:
            ValueError: it nests deeper than JSON may, or in itself.
        """
        if depth > MAX_DEPTH:
            raise ValueError(f"it nests deeper than {MAX_DEPTH}")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum) and not isinstance(value, Integral):
            return self.text(value)
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Decimal | Real):
            return _number(value)
        if isinstance(value, str):
            return self.text(value)
        if (inner := members(value)) is not None:
            return {self.text(name): self.value(one, depth=depth + 1) for name, one in inner.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(one, depth=depth + 1) for one in value]
        return self.text(value)

    def text(self, value: Any) -> str:
        """Spell a text: in UTF-8, without secrets."""
        return self._secrets.sub(REDACTED, str(value).encode(errors="replace").decode())

    def words(self, value: Any) -> str:
        """Spell a text for a person: a long one loses its middle."""
        return shortened(self.text(value), MAX_TEXT)

    def log_line(self, text: str) -> str:
        """Spell a log line: a library may have written a secret of anybody's into it."""
        return shortened(redact_text(shortened(self.text(text), _MAX_READ)), MAX_TEXT)


def members(value: Any) -> Mapping[Any, Any] | None:
    """What a mapping, a dataclass or a named tuple holds, by name; None for any other value."""
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    return None


def shortened(text: str, limit: int) -> str:
    """A text of about ``limit`` characters at most, its beginning and its end."""
    if len(text) <= limit:
        return text
    head, tail = limit - _TAIL, _TAIL
    return f"{text[:head]}\n[... {len(text) - limit:,} characters left out ...]\n{text[-tail:]}"


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None
