"""The secrets among a command's parameters, so that no line of the log repeats one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from schemas.secrets import is_secret, redact_text

_MOST = 100
"""Secrets of one command that are looked for."""


def without_secrets(text: str, data: Any) -> str:
    """A text as the log may have it: without what ``data`` holds under a secret's name, and what looks like one."""
    return redact_text(text, values=tuple(islice(_secrets(data), _MOST)))


def _secrets(data: Any) -> Iterator[str]:
    """The values of secret names: of an object's, and of pairs, as ``config`` has them."""
    if isinstance(data, dict):
        for name, inner in data.items():
            yield from _scalars(inner) if is_secret(name) else _secrets(inner)
    elif isinstance(data, list):
        pair = len(data) == 2 and isinstance(data[0], str) and is_secret(data[0])  # noqa: PLR2004
        for inner in data[1:] if pair else data:
            yield from _scalars(inner) if pair else _secrets(inner)


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
