"""What reaches the terminal: nothing that a stranger wrote can move its cursor, recolour it or rename its window."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, TextIO

_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal obeys instead of showing: controls, direction marks, line separators."""


def escaped(text: str) -> str:
    r"""Spell every harmful character as ``\x1b`` or ``\u202e``."""
    return text if text.isascii() and text.isprintable() else "".join(map(_character, text))


def _character(character: str) -> str:
    if unicodedata.category(character) not in _HARMFUL:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004


def json_text(document: Any, *, indent: int | None = 2) -> str:
    """A document as JSON in ASCII, without a control character."""
    return json.dumps(document, indent=indent, default=str).replace("\x7f", "\\u007f")


def print_lines(lines: Iterable[str], *, to: TextIO | None = None) -> None:
    """Print lines, escaped."""
    for line in lines:
        print(escaped(line), file=to or sys.stdout, flush=True)  # the command line's one way out


def print_json(document: Any, *, to: TextIO | None = None, indent: int | None = 2) -> None:
    """Print one JSON document."""
    print(json_text(document, indent=indent), file=to or sys.stdout, flush=True)  # as above
