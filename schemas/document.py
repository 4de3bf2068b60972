"""JSON as the contract writes and reads it: what every language's reader understands in the same way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemas.errors import ContractError, Fault
from schemas.fields import is_number

MAX_DEPTH = 64
"""How deep objects and arrays may nest, the outermost counted: what the readers of other languages take unasked."""


def dump(document: Any) -> bytes:
    """Write a document: compact UTF-8, always the same bytes for the same document.

    Raises:
        ValueError: it holds NaN, an infinity or a lone surrogate, or nests deeper than MAX_DEPTH.
    """
    try:
        text = _encode(document)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_depth(text, document)
    return text.encode()


def parse(payload: bytes, *, nan_as_null: bool = False) -> Any:
    """Read a document as RFC 7493 (I-JSON) has it.

    Args:
        payload: its bytes.
        nan_as_null: read ``NaN`` and ``Infinity``, which Python's own writer lets through, as null.

    Raises:
        ValueError: not JSON in UTF-8, a name twice in one object, a lone surrogate, a number beyond a double, or nested
            deeper than MAX_DEPTH.
    """
    text = payload.decode()
    try:
        document = (_decode_patiently if nan_as_null else _decode)(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_depth(text, document)
    if "\\u" in text:  # only an escape can bring a lone surrogate
        _encode(document).encode()
    return document


def parse_object(payload: bytes, *, nan_as_null: bool = False) -> dict[str, Any]:
    """Read a document that is an object.

    Args:
        payload: its bytes.
        nan_as_null: as ``parse`` has it.

    Raises:
        ContractError: it is none, or ``parse`` says no.
    """
    try:
        document = parse(payload, nan_as_null=nan_as_null)
    except ValueError as error:
        raise ContractError(Fault(where="", problem=f"the message is not JSON: {error}")) from None
    if not isinstance(document, dict):
        raise ContractError(Fault(where="", problem="the message is a JSON object"))
    return document


def _check_depth(text: str, document: Any) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    level, depth = [document], 0
    while level:
        depth += 1
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, Mapping | list | tuple)]
    if depth > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)


def _inside(outer: Any) -> Any:
    if isinstance(outer, Mapping):
        return outer.values()
    return outer if isinstance(outer, list | tuple) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _number(text: str) -> float:
    number = float(text)
    if not is_number(number):
        raise ValueError(f"{text[:80]} is not a finite number")
    return number


_TOO_DEEP = f"objects and arrays are nested deeper than {MAX_DEPTH}"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False).encode
_decode = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_number).decode
_decode_patiently = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_constant=lambda _: None
).decode
