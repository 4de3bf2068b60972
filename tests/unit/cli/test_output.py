"""No text of a stranger reaches the terminal as a command, and a refusal points at its place."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.output import escaped, json_text
from gateway.cli.refusal import refusal_lines
from schemas.errors import Fault

OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
ANY_TEXT = st.text(st.characters(exclude_categories=()))


def test_escape_sequences_and_direction_marks_are_spelled_out() -> None:
    assert escaped("\x1b]0;owned\x07 \x9b2J \u202eTC \u2028\r\n\t") == (
        r"\x1b]0;owned\x07 \x9b2J \u202eTC \u2028\x0d\x0a\x09"
    )
    assert escaped("Kaufen bei 5 € für Jürgen 🚀") == "Kaufen bei 5 € für Jürgen 🚀"


@given(text=ANY_TEXT)
def test_no_character_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not [c for c in escaped(text) if unicodedata.category(c) in OBEYED]


@given(text=ANY_TEXT)
def test_json_is_printable_and_reads_back_as_it_was(text: str) -> None:
    spelled = json_text({"message": text}, indent=None)

    assert spelled.isascii()
    assert spelled.isprintable()
    assert json.loads(spelled) == {"message": text}


def test_the_caret_stands_below_the_column_also_behind_an_escaped_character() -> None:
    body = b'{"a": 1,\n "\x1b": NaN}'
    fault = Fault(where="a", problem="is no number", line=2, column=7)
    lines = list(refusal_lines("refused", [fault], body))

    assert lines[2:] == ['     "\\x1b": NaN}', "             ^"]
    assert lines[2][lines[3].index("^")] == "N"


def test_a_long_line_is_shown_around_its_column() -> None:
    body = b"x" * 5000 + b"!" + b"y" * 5000
    lines = list(refusal_lines("refused", [Fault(where="", problem="p", line=1, column=5001)], body))

    assert len(lines[2]) < 200
    assert lines[2][lines[3].index("^")] == "!"
