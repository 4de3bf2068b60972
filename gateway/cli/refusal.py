"""A refusal for a person: what is wrong, and a caret under the place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.cli.output import escaped
from schemas.errors import Fault
from schemas.secrets import excerpt

_WIDTH = 100
_BEFORE = 60


def refusal_lines(title: str, faults: Iterable[Fault], body: bytes, *, keys: Iterable[str] = ()) -> Iterator[str]:
    """The title, and for each fault its sentence and the body's line with a caret under the column.

    Args:
        title: what kind of refusal.
        faults: what is wrong.
        body: the body, of which secrets are not repeated.
        keys: keys of secrets besides the well-known ones.
    """
    yield title
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.split("\n")
    secret_keys = tuple(keys)
    for fault in faults:
        place = f"line {fault.line}, column {fault.column or 1}: " if fault.line else ""
        yield f"  {place}{fault}"
        if fault.line and fault.line <= len(lines):
            start = sum(len(line) + 1 for line in lines[: fault.line - 1])
            yield from _pointed(text, start, start + len(lines[fault.line - 1]), (fault.column or 1) - 1, secret_keys)


def _pointed(text: str, start: int, stop: int, column: int, keys: tuple[str, ...]) -> tuple[str, str]:
    """A part of a long line around the column, without secrets, escaped, and the caret below it."""
    at = min(start + column, stop)
    first = max(start, at - _BEFORE)
    before = escaped(excerpt(text, first, at, keys=keys))
    after = escaped(excerpt(text, at, min(stop, first + _WIDTH), keys=keys))
    return f"    {before}{after}", f"    {' ' * len(before)}^"
