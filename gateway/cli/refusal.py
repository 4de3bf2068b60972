"""A refusal for a person: what is wrong, and a caret under the place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.cli.output import escaped
from schemas.errors import Fault

_WIDTH = 100
_BEFORE = 60


def refusal_lines(title: str, faults: Iterable[Fault], body: bytes) -> Iterator[str]:
    """The title, and for each fault its sentence and the body's line with a caret under the column."""
    yield title
    lines = body.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    for fault in faults:
        place = f"line {fault.line}, column {fault.column or 1}: " if fault.line else ""
        yield f"  {place}{fault}"
        if fault.line and fault.line <= len(lines):
            yield from _pointed(lines[fault.line - 1], (fault.column or 1) - 1)


def _pointed(line: str, column: int) -> tuple[str, str]:
    """A part of a long line around the column, escaped, and the caret below it."""
    start = max(0, column - _BEFORE)
    before = escaped(line[start:column])
    return f"    {before}{escaped(line[column : start + _WIDTH])}", f"    {' ' * len(before)}^"
