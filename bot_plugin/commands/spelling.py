"""How Python values that a handler returns are spelled in a reply: what JSON has no word for is named, or refused."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from schemas.document import MAX_DEPTH
from schemas.fields import instant_text, plain_text

_MOST_DIGITS = 100
_ARRAYS = (list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView)


class Unspellable(ValueError):
    """A value that a reply cannot carry; the text says which and where."""


def spell(value: Any, *, where: str, depth: int = 0) -> Any:
    """Spell a value as JSON has it: exact decimals and times as text, records as objects, sets and tuples as arrays.

    Args:
        value: what a handler returned, or a part of it.
        where: its place, for the complaint.
        depth: how deep it lies.

    Raises:
        Unspellable: JSON cannot say it.
    """
    if depth > MAX_DEPTH:
        raise Unspellable(f"{where[:80]}... is nested deeper than {MAX_DEPTH}")
    if isinstance(value, Enum):
        return spell(value.value if isinstance(value.value, str | int) else value.name, where=where, depth=depth)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value, where)
    if isinstance(value, datetime | date | time | timedelta):
        return _time(value)
    if isinstance(value, UUID | PurePath):
        return str(value)
    return _compound(value, where, depth + 1)


def _number(value: float | Decimal, where: str) -> Any:
    if isinstance(value, int):
        return int(value)
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise Unspellable(f"{where} is {value}, which JSON cannot say")
    if isinstance(value, Decimal):
        if abs(value.adjusted()) > _MOST_DIGITS or len(value.as_tuple().digits) > _MOST_DIGITS:
            raise Unspellable(f"{where} has more than {_MOST_DIGITS} digits")
        return plain_text(value)
    return float(value)


def _time(value: datetime | date | time | timedelta) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return instant_text(value)
    return value.isoformat()


def _compound(value: Any, where: str, depth: int) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {
            key: spell(inner, where=f"{where}.{key[:80]}", depth=depth)
            for key, inner in ((_key(key), inner) for key, inner in value.items())
        }
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    if isinstance(value, _ARRAYS):
        return [spell(inner, where=f"{where}[{place}]", depth=depth) for place, inner in enumerate(value)]
    if callable(getattr(value, "tolist", None)):  # numpy's arrays and numbers
        return spell(value.tolist(), where=where, depth=depth)
    raise Unspellable(f"{where} is of type {type(value).__name__}, which JSON has no word for")


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        key = key.value if isinstance(key.value, str) else key.name
    return str(key)
