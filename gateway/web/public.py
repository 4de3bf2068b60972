"""The public listener: webhooks come in here, and nothing else does."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol
from urllib.parse import unquote

from aiohttp import hdrs
from aiohttp.web import BaseRequest, Response, StreamResponse

from gateway.errors import Code, NotStored, Refused, Unauthorised
from gateway.intake.source import Received
from gateway.telemetry import Telemetry
from gateway.web.address import client, within
from gateway.web.body import BodyReader
from gateway.web.problem import Problem
from gateway.web.server import Handler
from gateway.web.settings import PublicSettings
from schemas.errors import Fault

METHODS = ("GET", "HEAD", "OPTIONS", "POST")
PAGE = (
    b"This is a webhook of signal-gateway.\n\n"
    b"It takes alerts by POST: put this address into the alert's 'Webhook URL' and let TradingView call it.\n"
    b"A browser cannot see here whether the address is right; an alert can: it is answered with 202.\n"
)

_JSON = {"Content-Type": "application/json"}
_TEXT = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_MAX_KEY = 255


class Entry(Protocol):
    """What became of one signal of a request."""

    @property
    def id(self) -> str: ...
    @property
    def duplicate(self) -> bool: ...


class Taken(Protocol):
    """What became of a request."""

    @property
    def entries(self) -> Sequence[Entry]: ...
    @property
    def is_array(self) -> bool: ...


class Public:
    """The site of the public listener.

    Args:
        take: takes a request in and returns when it is on disk; raises Unauthorised, Refused or NotStored, which it
            has reported itself.
        now: microseconds since the epoch.
    """

    name = "public"

    def __init__(
        self,
        take: Callable[[Received], Awaitable[Taken]],
        *,
        settings: PublicSettings,
        telemetry: Telemetry,
        now: Callable[[], int],
    ) -> None:
        self._take = take
        self._settings = settings
        self._telemetry = telemetry
        self._now = now
        self._in_pipeline = 0
        self._bodies = BodyReader(limit=settings.max_body, timeout=settings.body_timeout, most=settings.max_uploads)

    def route(self, request: BaseRequest) -> tuple[str, Handler]:
        """Find who answers; a slash at the end makes no difference."""
        match request.rel_url.raw_path.removesuffix("/").split("/"):
            case ["", "hooks", source, token]:
                return "hook", partial(self._hook, source=source, token=token)
            case ["", "hooks", source]:
                return "hook", partial(self._hook, source=source, token="")
        return "-", _nothing

    async def _hook(self, request: BaseRequest, *, source: str, token: str) -> Response:
        if request.method != hdrs.METH_POST:
            return _friendly(request.method)
        received = await self._receive(request, source=source, token=token)
        if self._in_pipeline >= self._settings.max_requests:
            self._telemetry.not_stored(cause="busy")
            raise NotStored("busy", "Too many requests at once.")
        self._in_pipeline += 1
        try:
            return accepted(await self._take(received))
        finally:
            self._in_pipeline -= 1

    async def _receive(self, request: BaseRequest, *, source: str, token: str) -> Received:
        try:
            self._admit(request)
            body = await self._bodies.read(request)
            return self._received(request, body, source=source, token=token)
        except Refused as refused:
            self._telemetry.turned_away(code=refused.code.code, problem=refused.faults[0].problem)
            raise
        except Unauthorised as unauthorised:
            self._telemetry.unauthorised(cause=unauthorised.cause)
            raise
        except NotStored as not_stored:
            self._telemetry.not_stored(cause=not_stored.cause)
            raise

    def _admit(self, request: BaseRequest) -> None:
        allowed = self._settings.allow_from
        if not allowed:
            return
        forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
        address = client(request.remote, forwarded, trusted=self._settings.trusted_proxies)
        if address is None or not within(address, allowed):
            raise Unauthorised("address")

    def _received(self, request: BaseRequest, body: bytes, *, source: str, token: str) -> Received:
        headers = request.headers
        return Received(
            source=unquote(source),
            secrets=_secrets(request, token=token),
            body=body,
            at=self._now(),
            idempotency_key=idempotency_key(headers.get("Idempotency-Key")),
            traceparent=traceparent(headers.get("traceparent")),
        )


def accepted(taken: Taken) -> Response:
    """Answer for what is on disk: 202, or 200 for a duplicate; an array gets 202 with an entry for each."""
    if taken.is_array:
        return Response(status=202, body=f"[{','.join(map(_entry, taken.entries))}]".encode(), headers=_JSON)
    (entry,) = taken.entries
    return Response(status=200 if entry.duplicate else 202, body=_entry(entry).encode(), headers=_JSON)


def _entry(entry: Entry) -> str:
    return f'{{"id":"{entry.id}","status":"{"duplicate" if entry.duplicate else "accepted"}"}}'


def _secrets(request: BaseRequest, *, token: str) -> Mapping[str, str]:
    secrets = {"path": unquote(token)} if token else {}
    if request.rel_url.raw_query_string and (key := request.query.get("key")):
        secrets["query"] = key
    return secrets


def idempotency_key(header: str | None) -> str | None:
    """Read the header: a string in quotes, as its draft says, or bare, as most send it.

    Raises:
        Refused: it is longer than 255 characters.
    """
    if header is None:
        return None
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = re.sub(r"\\(.)", r"\1", key[1:-1])
    if len(key) > _MAX_KEY:
        problem = f"The key may have {_MAX_KEY} characters"
        raise Refused(Code.INVALID, Fault(where="Idempotency-Key", problem=problem, found=key[:80]))
    return key or None


def traceparent(header: str | None) -> str | None:
    """Keep a well-formed W3C trace context, drop anything else."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


def _friendly(method: str) -> Response:
    if method in {hdrs.METH_GET, hdrs.METH_HEAD}:
        return Response(body=PAGE, headers=_TEXT)
    if method == hdrs.METH_OPTIONS:
        return Response(status=204, headers={"Allow": ", ".join(METHODS)})
    raise Problem.method(*METHODS)


async def _nothing(_: BaseRequest) -> StreamResponse:
    raise Problem.not_found()
