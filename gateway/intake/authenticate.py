"""Station: who sends this. One secret or signature, compared once, whether the source exists or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.errors import Unauthorised
from gateway.intake.source import Door, Keys, Received, Source
from schemas.secrets import folded, shown_as

_MAX_BODY = 65_536
_ANY_KEY = "secret"


def authenticate(received: Received, *, sources: Mapping[str, Source], keys: Keys) -> Source:
    """Return the source whose secret the request shows.

    A webhook shows it in the path, else as ``?key=``, else in a body field, where allowed; a program as a Bearer token,
    or by what it signed the body with.

    Raises:
        Unauthorised: with cause ``unknown_source``, ``no_secret``, ``wrong_secret`` or ``wrong_signature``, after the
            same comparison.
    """
    source = sources.get(received.source)
    if received.signature is not None and not received.secrets:
        signed = keys.signed(received.source, received.signature, received.body)
        if source is None:
            raise Unauthorised("unknown_source")
        if not signed:
            raise Unauthorised("wrong_signature")
        return source
    secret = _shown(received, source)
    holds = keys.holds(received.source, secret or "")
    if source is None:
        raise Unauthorised("unknown_source")
    if not secret:
        raise Unauthorised("no_secret")
    if not holds:
        raise Unauthorised("wrong_secret")
    return source


def secrets_shown(received: Received, *, source: Source) -> tuple[str, ...]:
    """List the secrets in the request, so that no later station repeats them."""
    in_body = _in_body(received.body, source.body_key) if source.body_key is not None else None
    return tuple(secret for secret in (*received.secrets.values(), in_body) if secret)


def _shown(received: Received, source: Source | None) -> str | None:
    """The secret that counts. What was shown decides how much work that is, not whether the source exists."""
    if received.door is not Door.HOOK:
        return received.secrets.get("bearer")
    if path := received.secrets.get("path"):
        return path
    if query := received.secrets.get("query"):
        return query if source is None or source.query_key else None
    in_body = _in_body(received.body, (source and source.body_key) or _ANY_KEY)
    return in_body if source is not None and source.body_key is not None else None


def _in_body(body: bytes, key: str) -> str | None:
    text = body[:_MAX_BODY].decode(errors="replace").lstrip("\ufeff")
    try:
        document = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return shown_as(text, key)
    return _member(document[0] if isinstance(document, list) and document else document, folded(key))


def _member(document: Any, key: str) -> str | None:
    if not isinstance(document, dict):
        return None
    return next((v for name, v in document.items() if folded(name) == key and isinstance(v, str)), None)
