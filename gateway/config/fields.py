"""The kinds of values that settings have: each says what it allows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields

from gateway.config.suggest import suggestion
from schemas.fields import is_name

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d|w)?", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)\s*(b|kb|mb|gb|tb|kib|mib|gib|tib)?", re.ASCII | re.IGNORECASE)
_BYTES = {unit + "b": 1000**power for power, unit in enumerate(["", "k", "m", "g", "t"])} | {
    unit + "ib": 1024**power for power, unit in enumerate(["k", "m", "g", "t"], start=1)
}
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def duration(text: str) -> float:
    """Read ``60``, ``60s``, ``1.5h`` or ``30d`` as seconds."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError("is a duration such as 60, 60s, 15m, 12h or 30d")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def size(text: str) -> int:
    """Read ``4096``, ``256MB`` (millions) or ``1GiB`` as bytes."""
    match = _SIZE.fullmatch(text)
    if not match or float(match[1]) == 0:
        raise ValueError("is a size such as 65536, 64KB, 256MB or 1GiB")
    return int(float(match[1]) * _BYTES[(match[2] or "b").lower()])


def share(text: str) -> float:
    """Read ``0.5`` or ``50%`` as a part of one."""
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)(%)?", text, re.ASCII)
    part = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < part <= 1:
        raise ValueError("is a share such as 0.5 or 50%")
    return part


def flag(text: str) -> bool:
    """Read ``true`` or ``false``."""
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError("is true or false")
    return text.lower() in _TRUE


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers within two bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,12}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"is a whole number, {low} to {high}")
        return int(text)

    return read


def network(text: str) -> Network:
    """Read ``10.0.0.0/8`` or one address."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is an address or a network such as 10.0.0.0/8") from None


def url(text: str) -> str:
    """Read the address under which the world reaches the public listener, without a slash at its end."""
    problem = "is an address such as https://signals.example.com, without a user, a query or a fragment"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(problem) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.query:
        raise ValueError(problem)
    if parts.fragment or not text.isprintable() or " " in text:
        raise ValueError(problem)
    return text.rstrip("/")


def api_url(text: str) -> str:
    """Read the address of another program's API: a scheme, a host and a port."""
    problem = "is an address such as http://127.0.0.1:18083, without a user, a path, a query or a fragment"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(problem) from None
    plain = text.isprintable() and not set(" @?#") & set(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or not plain:
        raise ValueError(problem)
    return text.rstrip("/")


def name(text: str) -> str:
    """Read the name of a source or a bot."""
    if not is_name(text):
        raise ValueError("has only A-Z a-z 0-9 _ and -, 1 to 128 of them")
    return text


def text(value: str) -> str:
    """Read one line of text."""
    if not value or not value.isprintable():
        raise ValueError("is one line of text")
    return value


def choice(**allowed: Any) -> Callable[[str], Any]:
    """A reader of one of a few words."""
    return choice_of(allowed)


def choice_of(allowed: Mapping[str, Any]) -> Callable[[str], Any]:
    """A reader of one of a few words, which need not be identifiers."""

    def read(text: str) -> Any:
        if text not in allowed:
            raise ValueError(f"is {' or '.join(allowed)}{suggestion(text, allowed)}")
        return allowed[text]

    return read


def path(value: str) -> Path:
    """Read a file's path; the caller resolves a relative one."""
    if not value or "\0" in value:
        raise ValueError("is the path of a file")
    return Path(value)


class Value(fields.Field[Any]):
    """A text that a function reads; the function's ValueError says what is allowed."""

    default_error_messages = {"required": "is missing"}  # noqa: RUF012  # marshmallow's own declaration

    def __init__(self, read: Callable[[str], Any], **options: Any) -> None:
        self._read = read
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        if not isinstance(value, str):
            raise ValidationError("has one value, not a list or a mapping")
        try:
            return self._read(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Values(Value):
    """A list of texts, or one text with commas; becomes a tuple."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list):
            raise ValidationError("is a list")
        loaded, problems = [], {}
        for index, item in enumerate(value):
            try:
                loaded.append(super()._deserialize(item, attr, data, **kwargs))
            except ValidationError as error:
                problems[index] = error.messages
        if problems:
            raise ValidationError(problems)
        return tuple(loaded)


class Section(fields.Nested):
    """A mapping of settings; where it is absent, its settings have their defaults, or, optional, it is None."""

    def __init__(self, schema: type[Schema], *, optional: bool = False) -> None:
        super().__init__(schema, load_default=None if optional else lambda: schema().load({}))


class Named(fields.Field[dict[str, Any]]):
    """A mapping from names that users choose to one schema each."""

    def __init__(self, schema: type[Schema], *, read: Callable[[str], str] = name) -> None:
        self.schema = schema()
        self._read = read
        super().__init__(load_default=dict)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        if not isinstance(value, dict):
            raise ValidationError("is a mapping from names to settings")
        loaded, problems = {}, {}
        for key, inner in value.items():
            try:
                loaded[self._read(key)] = self.schema.load(inner)
            except ValidationError as error:
                problems[key] = error.messages
            except ValueError as error:
                problems[key] = [str(error)]
        if problems:
            raise ValidationError(problems, valid_data=loaded)
        return loaded


class Listed(fields.Field[tuple[Any, ...]]):
    """A list of one schema each; a text stands for a mapping with one key, and texts with commas for several.

    Args:
        schema: of an item.
        plain: the key that a text is the value of.
        apart: what parts several in one text.
    """

    def __init__(self, schema: type[Schema], *, plain: str, apart: re.Pattern[str]) -> None:
        self.schema = schema()
        self._plain = plain
        self._apart = apart
        super().__init__(load_default=())

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[Any, ...]:  # noqa: ARG002
        items = [text for text in self._apart.split(value.strip()) if text] if isinstance(value, str) else value
        if not isinstance(items, list):
            raise ValidationError("is a list")
        loaded, problems = [], {}
        for index, item in enumerate(items):
            try:
                loaded.append(self.schema.load({self._plain: item} if isinstance(item, str) else item))
            except ValidationError as error:
                problems[index] = error.messages
        if problems:
            raise ValidationError(problems, valid_data=loaded)
        return tuple(loaded)
