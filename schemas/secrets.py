"""The keys whose values are secrets, and how documents, texts and excerpts lose them before they leave intake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

SECRET_KEYS = frozenset(
    {
        "passphrase", "passwd", "password", "pass", "pin", "secret", "sec", "token", "key", "apikey",
        "apisecret", "apisecretkey", "apitoken", "apipassphrase", "auth", "authkey", "authtoken",
        "authorization", "accesskey", "accesstoken", "bearer", "bottoken", "botuuid", "clientsecret",
        "credential", "credentials", "discord", "emailtoken", "licence", "licenceid", "license", "licenseid",
        "pointer", "privatekey", "seckey", "secretkey", "sharedsecret", "signaltoken", "signature", "slack",
        "stub", "telegram", "uuid", "webhookkey", "webhooksecret", "webhooktoken", "webhookurl",
    }
)  # fmt: skip
"""Keys in lower case without ``_``, ``-``, space and dot: ``API_Key`` and ``apiKey`` are both ``apikey``."""

_ENDINGS = ("secret", "password", "passphrase", "passwd", "apikey", "secretkey", "privatekey", "authkey", "accesskey")
_PROSE = frozenset({"auth", "discord", "key", "pass", "pin", "pointer", "sec", "slack", "stub", "telegram", "token"})
"""Secret keys that are also words of ordinary texts: ``Token: PEPE`` tells no secret."""

_MAX_KEY = 64
_MIN_VALUE = 6
"""Shorter secrets are redacted by their key only: replacing each ``buy`` would change what a signal says."""

_FOLD = str.maketrans("", "", "_-. ")
_ORDER = r"(?:buy|sell|long|short|bull|bear|add|cancel|(?:close|exit|enter)[a-z_-]*)"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (needle, re.compile(pattern, re.IGNORECASE | re.MULTILINE))
    for needle, pattern in (
        (
            ",",
            (
                r"^[ \t]*((?![A-Z0-9:]{1,20}(?:USDT?|USDC|EUR|BTC)(?:\.P)?[ ,])[^\s,=]{6,})[ \t]*,\s*"
                rf"{_ORDER}\s*,\s*[A-Z]"
            ),
        ),
        ("_", r"\b(?:ENTER|EXIT)-(?:LONG|SHORT|ALL)_[^\"\n]{0,200}_([^_\"\s]{6,})"),
        ("{", r"(?<![\w-])([\w-]{1,60})\([A-Z0-9:._/-]{1,40}\)\s{0,8}\{"),
        ("e=", r"(?:^|[\s|])a=(\S+)"),
        (":", rf"\btrade:([^\s:]+):{_ORDER}\b"),
        ("|", rf"^[ \t]*([^|\s]+)\|[^|\n]*\|[ \t]*{_ORDER}[ \t]*\|"),
        ("\n", rf"\A\s*(\S+)[ \t]*\r?\n[ \t]*{_ORDER}\b[^\n=]*="),
        (
            "://",
            r"https?://(?:hooks\.slack\.com|(?:\w{1,20}\.)?discord(?:app)?\.com/api/webhooks|api\.telegram\.org)/(\S+)",
        ),
        ("://", r"https?://[^/\s:@]{0,80}:([^@\s/]+)@"),
        ("earer ", r"\bbearer +(\S+)"),
    )
)
"""Receivers' own positional forms, each with a text that it cannot be without; the group is the secret."""

_SUSPECT = re.compile(
    "pass|pin|sec|tok|key|auth|bear|cred|lic|sign|stub|pointer|uuid|discord|slack|telegram|webhook", re.IGNORECASE
)
_INNOCENT = re.compile(
    r"(?!.{0,80}earer )[\w.+%! ]{0,80}|[A-Za-z0-9.+%!-]{0,80}"
    r"|\d{4}-\d\d-\d\dT[\d:.]{5,20}Z|[A-Z0-9]{1,20}[:/][A-Z0-9.]{1,30}",
    re.ASCII,
)
"""Most values of most alerts: no form of a secret above fits them."""

_SIGN = re.compile("[:=]")
_QUOTES = "\"'\u201c\u201d\u2018\u2019\u201e\\"
_KEY_BACKWARDS = re.compile(r"[\s\"'\u201c\u201d\u2018\u2019\u201e\\]{0,9}([\w.-]{1,64}(?: [\w.-]{1,64})?)")
_VALUES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\s*(?:\\\")+((?:\\[^\"\n]|[^\"\\\n])*)",
        r"\s*[\"\u201c\u201d\u201e]+((?:\\.|[^\"\u201c\u201d\u201e\\\n])*)",
        r"\s*['\u2018\u2019]+((?:\\.|[^'\u2018\u2019\\\n])*)",
        r"\s*(\{[^}]*\}*|\[[^\]]*)",
    )
)
_BARE = re.compile(r"[ \t]*([^\s,;&|}\])\"'\u201c\u201d]+)")
_BARE_IN_OBJECT = re.compile(r"\s*([^,\n}\]]+)")
_HARMLESS = re.compile(r"[\d.,%$+-]+|[A-Z0-9]{1,6}|[A-Z0-9:./_-]{2,20}(?:USDT?|USDC|EUR|BTC|PERP|\.P)")


def folded(key: str) -> str:
    """Fold a key's spelling for the look-up."""
    return key.lower().translate(_FOLD)


def is_secret(key: str, keys: frozenset[str] = frozenset()) -> bool:
    """Say whether a key, in any spelling, names a secret; ``keys`` are folded keys of the source's own."""
    return _is_secret(key, keys) if len(key) <= _MAX_KEY else folded(key[-_MAX_KEY:]).endswith(_ENDINGS)


@lru_cache(maxsize=4096)
def _is_secret(key: str, keys: frozenset[str]) -> bool:
    name = folded(key)
    return name in SECRET_KEYS or name in keys or name.endswith(_ENDINGS)


def redact(document: Any, *, keys: Iterable[str] = (), values: Iterable[str] = ()) -> Any:
    """Copy a JSON document with the values of secret keys, and secrets within its texts, redacted.

    Args:
        document: any JSON value; numbers may be Decimal.
        keys: keys that are secret besides SECRET_KEYS, in any spelling.
        values: secrets themselves, such as those that the request showed; shorter ones than 6 characters are left out.
    """
    return _redact(document, frozenset(map(folded, keys)), _worth(values))


def _redact(document: Any, keys: frozenset[str], values: tuple[str, ...]) -> Any:
    kind = document.__class__
    if kind is str:
        return document if not values and _INNOCENT.fullmatch(document) else _text(document, keys, values)
    if kind is dict:
        return {
            (_name(name, values) if values else name): REDACTED
            if is_secret(name, keys) and inner is not None and inner != ""
            else inner
            if inner.__class__ is str and inner.isalnum() and not values
            else _redact(inner, keys, values)
            for name, inner in document.items()
        }
    if kind is list or kind is tuple:
        return [_redact(item, keys, values) for item in document]
    if values and (kind is Decimal or kind is int) and format(document, "f" if kind is Decimal else "d") in values:
        return REDACTED
    return document


def redact_text(text: str, *, keys: Iterable[str] = (), values: Iterable[str] = ()) -> str:
    """Redact what is a secret within a text: the arguments are those of ``redact``."""
    return _text(text, frozenset(map(folded, keys)), _worth(values))


def excerpt(text: str, start: int, stop: int, *, keys: Iterable[str] = (), values: Iterable[str] = ()) -> str:
    """Cut ``text[start:stop]`` with its secrets redacted; one that is cut in two does not show either half."""
    return _replace(text, _spans(text, frozenset(map(folded, keys)), _worth(values)), start, stop)


def shown_as(text: str, key: str) -> str | None:
    """Find the value that a text, broken JSON for one, gives a key: ``"key": "value"`` or ``KEY=value``."""
    wanted = folded(key)
    for _, start, stop in _assignments(text, lambda word: folded(word) == wanted, in_object=True):
        return text[start:stop]
    return None


def _worth(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(value for value in values if len(value) >= _MIN_VALUE)


def _name(name: str, values: tuple[str, ...]) -> str:
    for value in values:
        name = name.replace(value, REDACTED)
    return name


def _text(text: str, keys: frozenset[str], values: tuple[str, ...]) -> str:
    spans = _spans(text, keys, values)
    return _replace(text, spans, 0, len(text)) if spans else text


def _replace(text: str, spans: list[tuple[int, int]], start: int, stop: int) -> str:
    parts, position = [], start
    for first, last in spans:
        if last > position and first < stop:
            parts += [text[position:first], REDACTED]
            position = last
    return "".join(parts) + text[position:stop] if position < stop else "".join(parts)


def _spans(text: str, keys: frozenset[str], values: tuple[str, ...]) -> list[tuple[int, int]]:
    spans = [match.span() for value in values if value in text for match in re.finditer(re.escape(value), text)]
    for needle, form in _FORMS:
        if needle in text:
            spans += [match.span(1) for match in form.finditer(text)]
    if ("=" in text or ":" in text) and (keys or _SUSPECT.search(text)):
        in_object = text.lstrip("\ufeff \t\r\n").startswith(("{", "["))
        for word, start, stop in _assignments(text, lambda word: is_secret(word, keys), in_object=in_object):
            if in_object or not _is_prose(text, word, start, stop):
                spans.append((start, stop))
    return _merged(spans)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _assignments(text: str, wanted: Callable[[str], bool], *, in_object: bool) -> Iterator[tuple[str, int, int]]:
    """Find the wanted keys' values, each part of a text looked at once: hostile texts cost no more than others."""
    sign = _SIGN.search(text)
    while sign is not None:
        after = sign.end()
        found = _KEY_BACKWARDS.match(text[max(0, sign.start() - 140) : sign.start()][::-1])
        word = None if found is None else _word(found.group(1)[::-1], wanted)
        if word is not None:
            bare = _BARE_IN_OBJECT if in_object and sign.group() == ":" else _BARE
            value = next((match for match in (form.match(text, after) for form in (*_VALUES, bare)) if match), None)
            if value is not None and value.start(1) < value.end(1):
                yield word, *value.span(1)
                after = value.end(1)
        sign = _SIGN.search(text, after)


def _word(name: str, wanted: Callable[[str], bool]) -> str | None:
    last = name.rpartition(" ")[2]
    return next((word for word in (name, last, last.rpartition(".")[2]) if wanted(word)), None)


def _is_prose(text: str, word: str, start: int, stop: int) -> bool:
    quoted, assigned = text[start - 1] in _QUOTES, "=" in text[max(0, start - 9) : start]
    return folded(word) in _PROSE and not quoted and not assigned and _HARMLESS.fullmatch(text, start, stop) is not None
