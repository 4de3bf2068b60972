"""The keys whose values are secrets, and how a document loses them before it is stored or published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

REDACTED = "[redacted]"

SECRET_KEYS = frozenset(
    {
        "passphrase", "passwd", "password", "pass", "pin", "secret", "sec", "token", "key", "apikey", "apisecret", "apisecretkey",
        "apitoken", "apipassphrase", "auth", "authkey", "authtoken", "authorization", "accesskey", "accesstoken", "bearer",
        "clientsecret", "credential", "credentials", "emailtoken", "licence", "licenceid", "license", "licenseid",
        "privatekey", "seckey", "secretkey", "sharedsecret", "signaltoken", "signature", "webhookkey", "webhooksecret",
        "webhooktoken", "botuuid", "pointer",
    }
)  # fmt: skip
"""Keys in lower case without ``_``, ``-``, space and dot: ``API_Key`` and ``apiKey`` are both ``apikey``."""


def folded(key: str) -> str:
    """Fold a key's spelling for the look-up."""
    return key.lower().translate(_FOLD)


_FOLD = str.maketrans("", "", "_-. ")


def redact(document: Any, *, keys: Iterable[str] = (), values: Iterable[str] = ()) -> Any:
    """Copy a JSON document with the values of secret keys, and every text that holds one of ``values``, redacted.

    Args:
        document: any JSON value.
        keys: keys that are secret besides SECRET_KEYS, in any spelling.
        values: secrets themselves, such as the source's own body token.
    """
    secret_keys = SECRET_KEYS | {folded(key) for key in keys}
    return _redact(document, secret_keys, tuple(value for value in values if value))


def _redact(document: Any, keys: frozenset[str], values: tuple[str, ...]) -> Any:
    if isinstance(document, dict):
        return {
            _text(name, values): REDACTED
            if folded(name) in keys and not _empty(inner)
            else _redact(inner, keys, values)
            for name, inner in document.items()
        }
    if isinstance(document, list | tuple):
        return [_redact(item, keys, values) for item in document]
    return _text(document, values) if isinstance(document, str) else document


def _text(text: str, values: tuple[str, ...]) -> str:
    for value in values:
        text = text.replace(value, REDACTED)
    return text


def _empty(value: Any) -> bool:
    return value is None or value == ""
