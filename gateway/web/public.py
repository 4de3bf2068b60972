"""The public listener: webhooks and what programs post come in here, and nothing else does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from urllib.parse import unquote

from aiohttp import hdrs
from aiohttp.web import BaseRequest, Response, StreamResponse

from gateway.intake.source import Door, Received
from gateway.telemetry import Telemetry
from gateway.web.body import BodyReader
from gateway.web.problem import Problem
from gateway.web.programs import Posts, Programs
from gateway.web.reception import Slots, Taken, accepted, admit, idempotency_key, reported, traceparent
from gateway.web.server import Handler
from gateway.web.settings import PublicSettings

METHODS = ("GET", "HEAD", "OPTIONS", "POST")
PAGE = (
    b"This is a webhook of signal-gateway.\n\n"
    b"It takes alerts by POST: put this address into the alert's 'Webhook URL' and let TradingView call it.\n"
    b"A browser cannot see here whether the address is right; an alert can: it is answered with 202.\n"
)

_TEXT = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}


class Public:
    """The site of the public listener.

    Args:
        take: takes a request in and returns when it is on disk; raises Unauthorised, Refused or NotStored, which it
            has reported itself.
        posts: takes what programs post; None where nothing does.
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
        posts: Posts | None = None,
    ) -> None:
        self._take = take
        self._settings = settings
        self._telemetry = telemetry
        self._now = now
        self._slots = Slots(settings.max_requests, problem="Too many requests at once.", telemetry=telemetry)
        self._bodies = BodyReader(limit=settings.max_body, timeout=settings.body_timeout, most=settings.max_uploads)
        self._programs = (
            Programs(posts, settings=settings, telemetry=telemetry, now=now, slots=self._slots, bodies=self._bodies)
            if posts is not None
            else None
        )

    def route(self, request: BaseRequest) -> tuple[str, Handler]:
        """Find who answers; a slash at the end makes no difference."""
        match request.rel_url.raw_path.removesuffix("/").split("/"):
            case ["", "hooks", source, token]:
                return "hook", partial(self._hook, source=source, token=token)
            case ["", "hooks", source]:
                return "hook", partial(self._hook, source=source, token="")
            case ["", "v1", Door.PREDICTIONS | Door.SIGNALS as door, source] if self._programs:
                return f"post_{door}", partial(self._programs.post, source=unquote(source), door=Door(door))
        return "-", _nothing

    def stop(self) -> None:
        """End the requests that have no end of their own: the gateway stops."""
        if self._programs is not None:
            self._programs.stop()

    async def _hook(self, request: BaseRequest, *, source: str, token: str) -> Response:
        if request.method != hdrs.METH_POST:
            return _friendly(request.method)
        with reported(self._telemetry):
            admit(request, self._settings)
            body = await self._bodies.read(request)
            received = self._received(request, body, source=source, token=token)
        with self._slots.one():
            return accepted(await self._take(received))

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


def _secrets(request: BaseRequest, *, token: str) -> Mapping[str, str]:
    secrets = {"path": unquote(token)} if token else {}
    if request.rel_url.raw_query_string and (key := request.query.get("key")):
        secrets["query"] = key
    return secrets


def _friendly(method: str) -> Response:
    if method in {hdrs.METH_GET, hdrs.METH_HEAD}:
        return Response(body=PAGE, headers=_TEXT)
    if method == hdrs.METH_OPTIONS:
        return Response(status=204, headers={"Allow": ", ".join(METHODS)})
    raise Problem.method(*METHODS)


async def _nothing(_: BaseRequest) -> StreamResponse:
    raise Problem.not_found()
