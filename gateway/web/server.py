"""The HTTP server around a site: connections, and every error of a request turned into its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Protocol

from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestHandler, Response, Server, StreamResponse

from gateway.errors import NotStored, Refused, Unauthorised
from gateway.telemetry import Telemetry
from gateway.web.problem import Problem, answer

Handler = Callable[[BaseRequest], Awaitable[StreamResponse]]

_EXPECTED = (Problem, Refused, Unauthorised, NotStored)


class Site(Protocol):
    """What a listener serves."""

    @property
    def name(self) -> str:
        """``public`` or ``private``."""
        ...

    def route(self, request: BaseRequest) -> tuple[str, Handler]:
        """Find the route's name, for the metrics, and who answers."""
        ...


class Front:
    """Answers every request of a site, whatever happens, and reports how that went."""

    def __init__(self, site: Site, *, telemetry: Telemetry) -> None:
        self._site = site
        self._telemetry = telemetry

    async def __call__(self, request: BaseRequest) -> StreamResponse:
        """Answer one request."""
        began = perf_counter()
        route, handler = self._site.route(request)
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
            response = self.failed(error)
        self._telemetry.http_request(
            listener=self._site.name,
            route=route,
            method=request.method,
            status=response.status,
            seconds=perf_counter() - began,
        )
        return response

    def failed(self, error: Exception) -> Response:
        """Answer for an error; one that nobody foresaw is reported."""
        if not isinstance(error, _EXPECTED):
            self._telemetry.unexpected(where=self._site.name, error=error)
        return answer(error)


class Request(BaseRequest):
    """A request whose answer does not name the server's software."""

    async def _prepare_hook(self, response: StreamResponse) -> None:
        response.headers.pop(hdrs.SERVER, None)


class Connection(RequestHandler):
    """A connection that answers with a problem where the request is no HTTP."""

    __slots__ = ("_front",)

    def __init__(self, manager: HttpServer, *, front: Front, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._front = front

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,  # noqa: ARG002  aiohttp's signature
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """Answer a request that the parser gave up on, and close."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        error = exc if isinstance(exc, Exception) else RuntimeError(message)
        response = self._front.failed(unparsed(error) if isinstance(error, HttpProcessingError) else error)
        response.force_close()
        return response


def unparsed(error: HttpProcessingError) -> Problem:
    """Say what the parser gave up on, without repeating what it found: that may hold a secret."""
    what = " ".join(str(error.message).partition(":")[0].split())[:80]
    return Problem.bad_request(f"The HTTP parser says: {what}.")


class HttpServer(Server):
    """aiohttp's server with our connections; beyond ``max_connections`` it hangs up."""

    def __init__(self, front: Front, *, max_connections: int, **settings: Any) -> None:
        super().__init__(front, request_factory=_request)
        self._front = front
        self._settings = settings
        self._max_connections = max_connections

    def __call__(self) -> Connection:
        """Make the handler of one connection."""
        return Connection(self, front=self._front, loop=asyncio.get_running_loop(), **self._settings)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection in, or hang up."""
        super().connection_made(handler, transport)
        if len(self._connections) > self._max_connections:
            transport.abort()


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Request:
    return Request(message, payload, protocol, writer, task, asyncio.get_running_loop())
