"""Station: bytes to documents. The content type is never looked at, and numbers stay exactly as they were sent."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, NoReturn

from gateway.errors import Code, Refused
from gateway.intake.batch import MAX_FAULTS, Batch
from gateway.intake.diagnose import Place, diagnose
from gateway.intake.source import Source
from schemas.errors import Fault
from schemas.secrets import excerpt, redact, redact_text

MAX_DOCUMENTS = 1000
MAX_DEPTH = 32
MAX_NUMBER = 100
MAX_EXPONENT = 308

_BOM = "\ufeff"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_FOUND = 80


class _Unwelcome(Exception):
    """JSON that is refused all the same: ``token`` is its spelling in the text, ``key`` the key that it belongs to."""

    def __init__(self, problem: str, cause: str, *, token: str = "", key: str | None = None) -> None:
        self.problem = problem
        self.cause = cause
        self.token = token
        self.key = key
        super().__init__(problem)


class Format(StrEnum):
    """How a body is to be read: AUTO finds out."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


def parse(body: bytes, *, source: Source, secrets: Iterable[str] = (), as_: Format = Format.AUTO) -> Batch:
    """Read a body as a JSON object, an array of 1 to 1,000 of them, or a plain text; a byte order mark is ignored.

    Args:
        body: the bytes, whatever they are.
        source: whose keys of secrets are redacted besides the well-known ones.
        secrets: the secrets that the request showed; neither a document nor a fault repeats them.
        as_: what the body must be.

    Raises:
        Refused: UNREADABLE, with line, column, offending text and likely cause where the body is broken JSON.
    """
    text = _decoded(body)
    keys = source.secret_keys + ((source.body_key,) if source.body_key else ())
    secrets = tuple(secret for secret in secrets if "\\" in text or secret in text)
    is_json = text.lstrip().startswith(("{", "["))
    if as_ is Format.JSON and not is_json:
        raise Refused(Code.UNREADABLE, _fault("the body is not JSON", "JSON begins with { or [. Or read it as text."))
    if as_ is Format.TEXT or not is_json:
        return Batch((redact_text(text, keys=keys, values=secrets),))
    try:
        document = _decoder.decode(text)
        _check_depth(document, text)
        _check_unicode(document, text)
    except json.JSONDecodeError as error:
        place = diagnose(text, error)
    except _Unwelcome as error:
        place = _found(text, error)
    except RecursionError:
        place = _found(text, _too_deep())
    else:
        return _batch(redact(document, keys=keys, values=secrets))
    raise Refused(Code.UNREADABLE, _broken(text, place, keys, secrets)) from None


def _decoded(body: bytes) -> str:
    try:
        text = body.decode().removeprefix(_BOM)
    except UnicodeDecodeError as error:
        utf16 = (
            "It begins as UTF-16 does." if body.startswith(_UTF16) else "Some other encoding, or binary data, was sent."
        )
        offset = error.start
        problem = f"the body is not UTF-8: byte {body[offset]:#04x} at offset {offset}"
        raise Refused(Code.UNREADABLE, _fault(problem, f"{utf16} Send UTF-8.")) from None
    if not text or text.isspace():
        cause = "Send the signal as the body; in TradingView, fill the alert's Message box."
        raise Refused(Code.UNREADABLE, _fault("the body is empty", cause))
    return text


def _fault(problem: str, cause: str) -> Fault:
    return Fault(where="", problem=problem, cause=cause)


def _found(text: str, error: _Unwelcome) -> Place:
    name = (
        '"((?:[^"\\\\]|\\\\.){0,200})"'
        if error.key is None
        else f"({re.escape(json.dumps(error.key, ensure_ascii=False))})"
    )
    token = re.escape(error.token[:MAX_NUMBER])
    matches = [*re.finditer(rf"{name}\s*:\s*({token})", text)] if error.token or error.key else []
    if not matches:
        start = max(0, text.find(error.token)) if error.token else 0
        return Place(start=start, stop=start + len(error.token), problem=error.problem, cause=error.cause)
    match = matches[-1] if error.key is not None else matches[0]
    start, stop = match.span(2) if error.token else match.span(1)
    where = error.key if error.key is not None else match.group(1)
    return Place(start=start, stop=stop, problem=error.problem, cause=error.cause, where=where)


def _broken(text: str, place: Place, keys: tuple[str, ...], secrets: tuple[str, ...]) -> Fault:
    found = excerpt(text, place.start, place.stop, keys=keys, values=secrets)[:_FOUND]
    return Fault(
        where=redact_text(place.where, keys=keys, values=secrets)[:_FOUND],
        problem=redact_text(place.problem, keys=keys, values=secrets),
        found=found or None,
        cause=place.cause,
        line=text.count("\n", 0, place.start) + 1,
        column=place.start - text.rfind("\n", 0, place.start),
    )


def _batch(document: Any) -> Batch:
    if isinstance(document, dict):
        return Batch((document,))
    if not 1 <= len(document) <= MAX_DOCUMENTS:
        raise Refused(
            Code.UNREADABLE,
            _fault(f"the array has {len(document)} entries; it may have 1 to {MAX_DOCUMENTS}", "Send one per signal."),
        )
    faults = [
        Fault(
            where=f"[{index}]",
            problem="is not a JSON object",
            found=str(entry)[:_FOUND],
            cause="Send an array of objects.",
        )
        for index, entry in enumerate(document)
        if not isinstance(entry, dict)
    ]
    if faults:
        raise Refused(Code.UNREADABLE, *faults[:MAX_FAULTS])
    return Batch(tuple(document), is_array=True)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        cause = "Two lines of the template use the same key; which one counts cannot be told. Remove one."
        raise _Unwelcome("the key occurs twice in one object", cause, key=name)
    return members


def _number(text: str) -> Decimal:
    if len(text) <= MAX_NUMBER:
        exponent = text.lower().rpartition("e")[2] if "e" in text or "E" in text else "0"
        if len(exponent) <= 4 and abs(int(exponent)) <= MAX_EXPONENT:  # noqa: PLR2004
            return Decimal(text)
    cause = (
        f"No price or quantity is so long: at most {MAX_NUMBER} characters and an exponent of at most {MAX_EXPONENT}."
    )
    raise _Unwelcome("a number is too large or too long", cause, token=text)


def _constant(name: str) -> NoReturn:
    cause = "There was no value: Pine's na, or a model's NaN. Leave the key out, or send null, until there is one."
    raise _Unwelcome(f"{name} is not a JSON number", cause, token=name)


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_constant, strict=True
)


def _too_deep() -> _Unwelcome:
    return _Unwelcome(f"the JSON is nested deeper than {MAX_DEPTH} levels", "Flatten it: an alert needs two or three.")


def _check_depth(document: Any, text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        level = [inner for outer in level for inner in _inside(outer)]
    raise _too_deep()


def _inside(outer: Any) -> list[Any]:
    inner = outer.values() if isinstance(outer, dict) else outer
    return [value for value in inner if isinstance(value, dict | list)]


def _check_unicode(document: Any, text: str) -> None:
    if "\\u" not in text:
        return
    try:
        json.dumps(document, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        problem = f"a text has half of a surrogate pair, \\u{ord(error.object[error.start]):04x}"
        cause = "Send the whole character, or its UTF-8 bytes."
        raise _Unwelcome(problem, cause) from None
