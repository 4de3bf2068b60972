"""What programs post: predictions and signals, one, an array of them, or one on each line of a body without an end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from aiohttp import hdrs
from aiohttp.web import BaseRequest, StreamResponse

from gateway.errors import NotStored, Refused, Unauthorised
from gateway.intake.source import Door, Line, Received, Signature, Source
from gateway.telemetry import Telemetry
from gateway.web.answers import Answers
from gateway.web.body import BodyReader
from gateway.web.lines import Arrivals, Splitter, is_ndjson, portions
from gateway.web.problem import Problem
from gateway.web.reception import Entry, Slots, Taken, accepted, admit, idempotency_key, reported, traceparent
from gateway.web.settings import PublicSettings

_SIGNATURE = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Posts(Protocol):
    """Takes what programs post; each method reports what it raises."""

    async def enter(self, received: Received) -> Source:
        """Say whose request it is; raises Unauthorised, Refused or NotStored."""

    def opens(self, received: Received) -> bool:
        """Whether the token of a request opens its source now, and for more than one request."""

    async def take_from(self, source: Source, received: Received) -> Taken:
        """Take all of a body in or nothing; raises Refused or NotStored."""

    async def take_lines(
        self, source: Source, received: Received, lines: Sequence[Line]
    ) -> Sequence[Entry | Refused | NotStored]:
        """Take lines in, each on its own; the first NotStored is the last result."""


class Programs:
    """Answers for the addresses that programs post to.

    A Bearer token is looked at before a byte of the body is read. A signature covers the body, which is therefore read
    whole first, and is then no longer than ``max_body``.
    """

    def __init__(
        self,
        posts: Posts,
        *,
        settings: PublicSettings,
        telemetry: Telemetry,
        now: Callable[[], int],
        slots: Slots,
        bodies: BodyReader,
    ) -> None:
        self._posts = posts
        self._settings = settings
        self._telemetry = telemetry
        self._now = now
        self._slots = slots
        self._bodies = bodies
        self._arrivals = Arrivals(longest=settings.max_body, idle=settings.idle)
        self._streams = Slots(
            settings.max_streams, problem="Too many bodies are arriving at once.", telemetry=telemetry
        )

    def stop(self) -> None:
        """End the bodies that still arrive; what is answered by now is stored."""
        self._arrivals.stop()

    async def post(self, request: BaseRequest, *, source: str, door: Door) -> StreamResponse:
        """Answer one request."""
        if request.method != hdrs.METH_POST:
            raise Problem.method(hdrs.METH_POST)
        with reported(self._telemetry):
            admit(request, self._settings)
            received = self._received(request, source=source, door=door)
        try:
            return await self._answered(request, received)
        except NotStored as not_stored:
            if not_stored.cause == "rate":
                raise too_many(not_stored) from None
            raise

    async def _answered(self, request: BaseRequest, received: Received) -> StreamResponse:
        signed = received.signature is not None
        if signed:
            received = await self._with_body(request, received)
        whose = await self._posts.enter(received)
        if is_ndjson(request):
            lines = _of(received.body) if signed else self._while_open(request, received)
            with self._streams.one():
                return await self._stream(request, whose, received, lines)
        if not signed:
            received = await self._with_body(request, received)
        with self._slots.one():
            return accepted(await self._posts.take_from(whose, received))

    async def _while_open(self, request: BaseRequest, received: Received) -> AsyncIterator[Sequence[Line]]:
        """The lines of a body that arrives, until the token that it began with opens its source no more."""
        lasting = self._posts.opens(received)
        async for some in self._arrivals.lines(request):
            if lasting and not self._posts.opens(received):
                self._telemetry.unauthorised(cause="revoked_secret", source=received.source)
                raise Unauthorised("revoked_secret")
            yield some

    def _received(self, request: BaseRequest, *, source: str, door: Door) -> Received:
        headers = request.headers
        scheme, _, token = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        signature = None if bearer else _signature(request)
        key = idempotency_key(headers.get("Idempotency-Key"))
        return Received(
            source=source,
            secrets={"bearer": bearer} if bearer else {},
            body=b"",
            at=self._now(),
            idempotency_key=key if signature is None else signature.id,
            traceparent=traceparent(headers.get("traceparent")),
            door=door,
            signature=signature,
        )

    async def _with_body(self, request: BaseRequest, received: Received) -> Received:
        with reported(self._telemetry):
            return replace(received, body=await self._bodies.read(request), at=self._now())

    async def _stream(
        self, request: BaseRequest, source: Source, received: Received, lines: AsyncIterator[Sequence[Line]]
    ) -> StreamResponse:
        """Answer line by line; what goes wrong after the first answer is said in the last line, without ``done``."""
        answers = Answers(request, patience=self._settings.body_timeout)
        try:
            async for some in lines:
                results = await self._posts.take_lines(source, replace(received, body=b"", at=self._now()), some)
                await answers.add(some, results)
            return await answers.done()
        except Exception as error:
            if not answers.begun:
                raise
            if not answers.expects(error):
                self._telemetry.unexpected(where="public", error=error)
            return await answers.broken_off(error)


def too_many(not_stored: NotStored) -> Problem:
    """Over its limit: TradingView gets 503 and sends again, a program gets 429."""
    headers = {"Retry-After": f"{max(1, round(not_stored.again))}"}
    detail = "This source sends more than it may. Nothing was stored."
    return Problem(429, "too_many", "Too many requests: send it again later", detail=detail, headers=headers)


def _signature(request: BaseRequest) -> Signature | None:
    """What signs the body, where a header says that something does."""
    id_, timestamp, signatures = (request.headers.get(name, "") for name in _SIGNATURE)
    return Signature(id=id_, timestamp=timestamp, signatures=signatures) if signatures else None


async def _of(body: bytes) -> AsyncIterator[Sequence[Line]]:
    splitter = Splitter(longest=len(body))
    for some in portions([*splitter.feed(body), *splitter.end()]):
        yield some
