"""Why a body that begins as JSON is not JSON: the place, and the mistake that people make there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

_SMART = "\u201c\u201d\u201e\u201f\u2018\u2019\u00ab\u00bb"
_WINDOW = 24
_SCALAR = '"0123456789}]el'


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a text stops being JSON: the offending ``text[start:stop]``, its key if known, and the likely cause."""

    start: int
    stop: int
    problem: str
    cause: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class _Stop:
    """The place where the reader stopped: ``char`` there, ``before`` the last one that is no space, at ``last``."""

    text: str
    at: int
    message: str

    @property
    def char(self) -> str:
        return self.text[self.at : self.at + 1]

    @property
    def last(self) -> int:
        return len(self.text[max(0, self.at - 2000) : self.at].rstrip()) + max(0, self.at - 2000) - 1

    @property
    def before(self) -> str:
        return self.text[self.last] if self.last >= 0 else ""

    @property
    def rest(self) -> str:
        return self.text[self.at : self.at + 400]

    @property
    def line(self) -> str:
        return self.rest.partition("\n")[0]


_LEAD = "the body begins as JSON but is not JSON"
_WORD = re.compile(r"[^,\n]*")
_NUMBER_BEFORE = re.compile(r"[0-9]*\Z")
_Guess = tuple[str, str]


def diagnose(text: str, error: json.JSONDecodeError) -> Place:
    """Tell the likely cause of a JSON error; every text has an answer."""
    stop = _Stop(text, _position(text, error), error.msg)
    problem, cause = next(guess for guess in (tell(stop) for tell in _TELLERS) if guess is not None)
    start = min(stop.at, max(0, len(text) - 1))
    if text[start : start + 1].isalpha():
        start -= len(_NUMBER_BEFORE.search(text, max(0, start - 20), start).group())  # type: ignore[union-attr]
    elif text[start - 1 : start + 1] == "{{":
        start -= 1
    if problem == _TRUNCATED:
        start = max(text.rfind("\n", 0, len(text.rstrip())) + 1, len(text.rstrip()) - _WINDOW)
    stop_at = len(text.rstrip()) if problem == _TRUNCATED else _end(text, start)
    return Place(start=start, stop=stop_at, problem=f"{_LEAD}: {problem}", cause=cause)


def _position(text: str, error: json.JSONDecodeError) -> int:
    at = min(error.pos, len(text))
    while at < len(text) and text[at] in " \t\r\n" and not error.msg.startswith("Invalid control"):
        at += 1
    if text[at : at + 1] == "," and re.match(r",\s*[}\]]", text[at : at + 400]):
        at += len(text[at : at + 400]) - len(text[at + 1 : at + 400].lstrip())
    return at


def _end(text: str, start: int) -> int:
    """The offending word only: what follows may be a secret under a key that nobody knows."""
    found = _WORD.match(text, start, start + _WINDOW)
    return max(found.end() if found else start, min(start + 1, len(text)))


_TRUNCATED = "it ends too early"


def _truncated(stop: _Stop) -> _Guess | None:
    unterminated = stop.message.startswith("Unterminated string")
    if unterminated and stop.text.rstrip()[-1:] in {"}", "]"}:
        return "a quote is missing", "A text was opened with a double quote that is never closed. Close it."
    if unterminated or stop.at >= len(stop.text):
        return _TRUNCATED, "The message was cut off, or a closing quote, bracket or brace is missing at its end."
    return None


def _extra(stop: _Stop) -> _Guess | None:
    if not stop.message.startswith("Extra data"):
        return None
    if stop.char in "{[":
        cause = (
            "To send several, put them into one array: [{...}, {...}]. "
            "Or, as a program, one on each line of application/x-ndjson (curl: --data-binary)."
        )
        return "a second value follows the first", cause
    if stop.char in {"}", "]"}:
        return "there is a closing bracket too many", "Remove it, or add the opening one that is missing."
    return _comment(stop) or ("something follows the JSON value", "Remove what stands behind the last closing bracket.")


def _comment(stop: _Stop) -> _Guess | None:
    if stop.line.startswith(("//", "/*", "#", "<!--")) or (stop.before == "/" and stop.char == "/"):
        return "there is a comment", "JSON has no comments. Remove it."
    return None


def _smart_quotes(stop: _Stop) -> _Guess | None:
    if stop.char and stop.char in _SMART:
        cause = 'The template was pasted from a word processor or a web page. Replace curly quotes by straight ones: ".'
        return "there is a smart quote", cause
    return None


def _after_colon(stop: _Stop) -> bool:
    return stop.text[max(0, stop.last - 20) : stop.last].rstrip().endswith(":")


def _trailing_comma(stop: _Stop) -> _Guess | None:
    if stop.char and stop.char in "}]" and stop.before == "," and not _after_colon(stop):
        return f"there is a comma before the {stop.char}", "A trailing comma is not allowed. Remove the last comma."
    return None


def _placeholder(stop: _Stop) -> _Guess | None:
    start = stop.at - 1 if stop.text[stop.at - 1 : stop.at + 1] == "{{" else stop.at
    found = re.match(r"\{\{([^{}\n]{0,60})\}\}", stop.text[start : start + 80])
    if found is None and not stop.text.startswith("{{", start):
        return None
    name = found.group(1).strip() if found else ""
    only = " strategy.* placeholders work only in alerts on a strategy." if name.startswith("strategy.") else ""
    return f"the placeholder {{{{{name}}}}} was not filled", f"TradingView did not put a value there.{only}"


def _single_quotes(stop: _Stop) -> _Guess | None:
    if stop.char == "'":
        return (
            "there is a single quote",
            "JSON uses double quotes, for keys and for texts. A Python dict was printed, perhaps.",
        )
    return None


def _doubled_quotes(stop: _Stop) -> _Guess | None:
    around = stop.text[max(0, stop.at - 2) : stop.at + 2]
    before, after = stop.text[max(0, stop.at - 2) : stop.at], stop.line
    if before == '""' and re.match(r'[^",:\n]{0,80}""', after):
        return "the quotes are doubled", 'A relay or a spreadsheet doubled each quote. Write "key", not ""key"".'
    if stop.char == "\\" and '\\"' in around:
        return (
            "the quotes are escaped twice",
            'The JSON was put into a text once too often. Write "key", not \\"key\\".',
        )
    return None


def _raw_break(stop: _Stop) -> _Guess | None:
    if not stop.message.startswith("Invalid control character"):
        return None
    if stop.char not in "\r\n":
        return f"a text has the control character {ord(stop.char):#04x}", "Write it as an escape, or leave it out."
    following = stop.text[stop.at : stop.at + 400].lstrip()
    opened = stop.text[max(0, stop.at - 200) : stop.at].rstrip()
    if re.match(r'["}\]]', following) or opened.endswith(","):
        return "a quote is missing", "A text is not closed before the end of its line. Close it with a double quote."
    return "a text has a line break in it", "Write \\n instead, or put the placeholder's text on one line."


def _unescaped_quotes(stop: _Stop) -> _Guess | None:
    if not stop.message.startswith(("Expecting ',' delimiter", "Expecting ':' delimiter")):
        return None
    if stop.before != '"' or "\n" in stop.text[stop.last : stop.at] or not stop.char or stop.char in '"{[,:}]':
        return None
    opened = stop.text[max(0, stop.last - 200) : stop.last].rstrip()
    if opened.endswith(",") and re.match(r'[\w. -]{1,60}"\s*:', stop.line):
        return "a quote is missing", "The text before it was not closed with a double quote."
    if "Expecting ':'" in stop.message:
        return "a quote is missing", "A key is not closed, or its colon is missing."
    cause = (
        "A text has double quotes inside that are not escaped: a placeholder such as {{strategy.order.comment}} was "
        "filled with a text that has quotes. Leave quotes out of comments and names in the script."
    )
    return "there are unescaped quotes inside a text", cause


def _missing_comma(stop: _Stop) -> _Guess | None:
    if stop.message.startswith("Expecting ',' delimiter") and stop.before in _SCALAR and stop.char in {'"', "{", "["}:
        return "a comma is missing", "Put a comma between one entry and the next."
    return None


def _not_a_number(stop: _Stop) -> _Guess | None:
    if re.match(r"[+-]?(nan|na|inf|infinity)\b", stop.line, re.IGNORECASE):
        return "a value is not a number", "A plot had no value on this bar. Leave the key out, or send null."
    if re.match(r"(none|true|false|undefined)\b", stop.line, re.IGNORECASE):
        return "a word is not JSON", "JSON knows true, false and null, in lower case."
    if re.match(r"[+.]\d", stop.line) or (stop.before in {"0", "-"} and stop.char.isdigit()) or stop.before == ".":
        return "a number is not spelled as JSON wants it", "Write 0.5 and 5, not .5, 5., +5 or 05."
    return None


def _escape(stop: _Stop) -> _Guess | None:
    if stop.message.startswith("Invalid \\"):
        return "a backslash begins no known escape", "Write \\\\ for a backslash."
    return None


def _unquoted(stop: _Stop) -> _Guess | None:
    if not stop.char or stop.char in ',:{}[]"':
        return None
    if stop.message.startswith("Expecting property name"):
        return "a key has no quotes", 'Write keys in double quotes: "ticker".'
    if re.match(r'[^"\n]{1,200}"\s{0,80}(?:[,}\]\n]|\Z)', stop.rest):
        return "a quote is missing", "A text is closed with a double quote that was never opened. Open it."
    if stop.message.startswith("Expecting value") or re.match(r"[\w.+-]", stop.char):
        return "a text has no quotes", 'Put texts, and placeholders that become texts, in double quotes: "{{ticker}}".'
    return None


def _other(stop: _Stop) -> _Guess:
    if stop.char and stop.char in ",}]" and stop.before in {":", ","}:
        return (
            "a value is missing",
            "A placeholder was filled with nothing. Put it in double quotes, or leave the key out.",
        )
    if stop.char and stop.char in "}]":
        return "a bracket does not match the one that it closes", "Each { needs its }, and each [ its ]."
    return stop.message[:1].lower() + stop.message[1:], "Check the template with any JSON validator."


_TELLERS: tuple[Callable[[_Stop], _Guess | None], ...] = (
    _truncated,
    _extra,
    _raw_break,
    _escape,
    _smart_quotes,
    _placeholder,
    _comment,
    _trailing_comma,
    _doubled_quotes,
    _single_quotes,
    _unescaped_quotes,
    _missing_comma,
    _not_a_number,
    _unquoted,
    _other,
)
