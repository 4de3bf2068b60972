"""How figures and times of Hummingbot are told: exact, and None where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any


def instant(seconds: float | None) -> datetime | None:
    """A time, from seconds since the epoch."""
    return None if seconds is None or not isfinite(seconds) else datetime.fromtimestamp(seconds, UTC)


def plain(value: Any) -> Any:
    """A value as a reply can carry it: a model as its fields, and None for what is no number."""
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Enum):
        return value.name
    if callable(getattr(value, "model_dump", None)):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {key.name if isinstance(key, Enum) else str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int) else str(value)
