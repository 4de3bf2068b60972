"""Errors as RFC 9457 problem+json: the one place where what went wrong becomes an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp.web import Response

from gateway.errors import NotStored, Refused, Unauthorised
from schemas.record import wire

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = "5"
"""Seconds, as TradingView's own pause between sends."""


class Problem(Exception):
    """A request that HTTP itself, and no station behind it, answers with an error.

    Args:
        more: members of the answer besides those that every problem has.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        *,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.headers = headers or {}
        self.more = more or {}
        super().__init__(f"{title}. {detail}")

    @classmethod
    def not_found(cls) -> Problem:
        """Nothing is here."""
        return cls(404, "not_found", "There is nothing here")

    @classmethod
    def method(cls, *allowed: str) -> Problem:
        """The path is right, the method is not."""
        names = ", ".join(allowed)
        detail = f"This address takes {names}."
        return cls(405, "method_not_allowed", "The method is not allowed", detail=detail, headers={"Allow": names})

    @classmethod
    def bad_request(cls, detail: str) -> Problem:
        """The request is no HTTP that can be answered."""
        return cls(400, "bad_request", "The request cannot be read", detail=detail)


def described(error: Exception) -> dict[str, Any]:
    """An error's ``status``, ``code`` and ``detail``, for an answer that was begun before it came."""
    found = answer(error)
    document = json.loads(found.body) if isinstance(found.body, bytes) else {}
    return {name: document[name] for name in ("status", "code", "detail") if name in document}


def answer(error: Exception) -> Response:
    """Turn an error into its answer; one that is not foreseen becomes a 500 that says nothing."""
    match error:
        case Problem():
            return _respond(
                error.status, error.code, error.title, detail=error.detail, headers=error.headers, more=error.more
            )
        case Refused():
            return _refused(error)
        case Unauthorised():
            return Response(status=401, body=_UNAUTHORISED, headers=_UNAUTHORISED_HEADERS)
        case NotStored():
            headers = {"Retry-After": RETRY_AFTER}
            title = "Not stored: send it again"
            return _respond(503, "not_stored", title, detail=_PUBLIC.get(error.cause, ""), headers=headers)
        case _:
            return _respond(500, "internal", "Something is wrong in the gateway; its log says what")


_PUBLIC = {
    "disk": "The gateway cannot write to its disk.",
    "share": "Too many signals of this source wait to be delivered.",
    "rate": "This source sends more than it may.",
    "stopping": "The gateway is stopping.",
    "busy": "The gateway is busy.",
}
"""What a sender may know; the operator's part of the story is in the log."""


def _refused(error: Refused) -> Response:
    faults = error.faults
    more = f" And {len(faults) - 1} more." if len(faults) > 1 else ""
    detail = f"{faults[0]}{more}" if faults else ""
    code = error.code
    return _respond(code.status, code.code, code.title, detail=detail, errors=[wire(fault) for fault in faults])


def _respond(
    status: int,
    code: str,
    title: str,
    *,
    detail: str = "",
    errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    body = _document(status, code, title, detail=detail, errors=errors, more=more)
    return Response(status=status, body=body, headers={"Content-Type": CONTENT_TYPE, **(headers or {})})


def _document(
    status: int,
    code: str,
    title: str,
    *,
    detail: str = "",
    errors: list[dict[str, Any]] | None = None,
    more: Mapping[str, Any] | None = None,
) -> bytes:
    document: dict[str, Any] = {"type": f"urn:signal-gateway:problem:{code}", "title": title, "status": status}
    if detail:
        document["detail"] = detail
    document["code"] = code
    if errors:
        document["errors"] = errors
    document |= more or {}
    return json.dumps(document).encode()


_UNAUTHORISED = _document(
    401,
    "unauthorised",
    "No valid secret was shown",
    detail="A webhook wants the whole address that signal-gateway init or keys rotate SOURCE showed; predictions and"
    " signals want the token behind Authorization: Bearer, or a signature; the API wants Authorization: Bearer with the"
    " token in secrets/api.token of the data folder.",
)
_UNAUTHORISED_HEADERS = {"Content-Type": CONTENT_TYPE, "WWW-Authenticate": 'Bearer realm="signal-gateway"'}
