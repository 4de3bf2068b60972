"""The private listener: the API with a key and a role, and health and metrics without."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote

from aiohttp import hdrs
from aiohttp.web import BaseRequest, RequestKey, Response, StreamResponse

from gateway.bots import Roster
from gateway.errors import NotStored, Refused, Unauthorised
from gateway.journal.journal import Journal
from gateway.roles import Caller
from gateway.telemetry import Telemetry
from gateway.web import roles, views
from gateway.web.access import ApiKeys, Gate
from gateway.web.body import BodyReader
from gateway.web.bots import BotsApi
from gateway.web.commands import CommandsApi, Send
from gateway.web.contracts.serving import FILES, ContractsApi
from gateway.web.problem import Problem
from gateway.web.server import Handler
from gateway.web.settings import PrivateSettings
from gateway.web.signals import SignalsApi, Withdraw
from schemas.topics import Topics

_CALLER = RequestKey("caller", Caller)


Change = Callable[[str, Mapping[str, Any]], Awaitable[Response]]
"""Changes a target as a document says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the gateway is.

    Args:
        since: microseconds since the epoch.
        unready: why no signal can be accepted now; None while all is well. A broker that is away is no reason.
        broker_connected: whether the broker is there.
        broker_error: why it is not; empty while it is.
    """

    version: str
    since: int
    unready: str | None
    broker_connected: bool
    broker_error: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the private listener shows, and what it can do.

    Args:
        exposition: the metrics for an ``Accept`` header, and their content type.
        mint: makes a token for a source; returns it with its expiry in microseconds since the epoch, and raises
            LookupError for a source that is not there.
        withdraw: see ``Withdrawals.withdraw``.
        roster: the bots.
        command: see ``Commands.send``.
        topics: the topic tree, for the contracts.
    """

    journal: Journal
    status: Callable[[], Status]
    exposition: Callable[[str], tuple[bytes, str]]
    mint: Callable[[str], tuple[str, int]]
    withdraw: Withdraw
    roster: Roster
    command: Send
    topics: Topics = field(default_factory=Topics)


class Private:
    """The site of the private listener.

    Raises:
        Misconfigured: it would listen off loopback without a key.
    """

    name = "private"

    def __init__(self, inside: Inside, *, settings: PrivateSettings, keys: ApiKeys, telemetry: Telemetry) -> None:
        self._inside = inside
        self._gate = Gate(settings, keys=keys)
        self._telemetry = telemetry
        self._signals = SignalsApi(inside.journal, withdraw=inside.withdraw)
        self._bots = BotsApi(inside.roster)
        self._commands = CommandsApi(inside.command)
        self._contracts = ContractsApi(inside.topics)
        self._bodies = BodyReader(limit=settings.max_body, timeout=10.0, most=16)

    def route(self, request: BaseRequest) -> tuple[str, Handler]:
        """Find who answers; whatever is not open needs a key."""
        match request.rel_url.raw_path.removesuffix("/").split("/"):
            case ["", "livez"]:
                return "livez", _reading(self._livez)
            case ["", "readyz"]:
                return "readyz", _reading(self._readyz)
            case ["", "metrics"]:
                return "metrics", _reading(self._metrics)
            case ["", "contracts"]:
                return "contracts", _reading(self._contracts.page)
            case ["", "api", "v1", *rest]:
                return self._api(rest)
        return "-", _nothing

    def _api(self, rest: list[str]) -> tuple[str, Handler]:
        name, handler = self._find(rest)
        return name, self._kept(name, handler)

    def _find(self, rest: list[str]) -> tuple[str, Handler]:
        match rest:
            case ["status"]:
                return "status", _reading(self._status)
            case ["signals"]:
                return "signals", _reading(self._signals.all)
            case ["signals", id_]:
                return "signal", _reading(partial(self._signals.one, id_=id_))
            case ["signals", id_, "withdraw"]:
                return "withdraw", partial(
                    self._change, what="withdraw", target=unquote(id_), act=self._signals.withdraw
                )
            case ["refusals"]:
                return "refusals", _reading(self._signals.refusals)
            case ["bots", *of]:
                return self._of_bots(of)
            case ["sources", source, "tokens"]:
                return "tokens", partial(self._change, what="mint a token", target=unquote(source), act=self._mint)
            case [file] if file in FILES:
                return "contract", _reading(partial(self._contracts.document, path=file))
            case ["schemas", name]:
                return "contract", _reading(partial(self._contracts.document, path=f"schemas/{name}"))
        return "-", _nothing

    def _of_bots(self, rest: list[str]) -> tuple[str, Handler]:
        match rest:
            case []:
                return "bots", _reading(self._bots.all)
            case [name]:
                return "bot", _reading(partial(self._bots.one, name=unquote(name)))
            case [name, "logs"]:
                return "logs", _reading(partial(self._bots.logs, name=unquote(name)))
            case [name, "forget"]:
                return "forget", partial(self._change, what="forget a bot", target=unquote(name), act=self._bots.forget)
            case [name, "commands", *words]:
                return "command", partial(self._command, bot=unquote(name), words=words)
        return "-", _nothing

    def _kept(self, route: str, handler: Handler) -> Handler:
        """Let in who shows a key whose role may use the route."""

        async def keep(request: BaseRequest) -> StreamResponse:
            caller = request[_CALLER] = self._admit(request)
            try:
                roles.require(caller, route)
            except Problem:
                self._telemetry.audited(who=caller.name, what=route, target=request.path[:128], outcome="refused")
                raise
            return await handler(request)

        return keep

    def _admit(self, request: BaseRequest) -> Caller:
        try:
            return self._gate.admit(request)
        except Unauthorised as unauthorised:
            self._telemetry.unauthorised(cause=unauthorised.cause)
            raise

    async def _change(
        self,
        request: BaseRequest,
        *,
        what: str,
        target: str,
        act: Change,
    ) -> Response:
        if request.method != hdrs.METH_POST:
            raise Problem.method(hdrs.METH_POST)
        audited = partial(self._telemetry.audited, who=request[_CALLER].name, what=what, target=target[:128])
        try:
            response = await act(target, await self._document(request))
        except (Problem, Refused, NotStored) as error:
            audited(outcome="unknown" if isinstance(error, Problem) and error.code == "unanswered" else "refused")
            raise
        except Exception:
            audited(outcome="failed")
            raise
        audited(outcome="done")
        return response

    async def _command(self, request: BaseRequest, *, bot: str, words: list[str]) -> Response:
        act = partial(self._commands.act, words=words, request=request, caller=request[_CALLER])
        return await self._change(request, what=f"command {'/'.join(words)[:64]}", target=bot, act=act)

    async def _document(self, request: BaseRequest) -> Mapping[str, Any]:
        if request.content_type != "application/json":
            detail = "Send Content-Type: application/json."
            raise Problem(415, "unsupported_media_type", "Changes are sent as JSON", detail=detail)
        body = await self._bodies.read(request)
        try:
            document = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise Problem.bad_request("The body is not JSON.") from None
        if not isinstance(document, dict):
            raise Problem.bad_request("The body is not a JSON object.")
        return document

    async def _livez(self, _: BaseRequest) -> Response:
        return views.answer({"status": "alive"})

    async def _readyz(self, _: BaseRequest) -> Response:
        status = self._inside.status()
        broker = "connected" if status.broker_connected else "away"
        if status.unready is not None:
            return views.answer({"status": "unready", "reason": status.unready, "broker": broker}, status=503)
        return views.answer({"status": "ready", "broker": broker})

    async def _metrics(self, request: BaseRequest) -> Response:
        body, content_type = self._inside.exposition(request.headers.get(hdrs.ACCEPT, ""))
        return Response(body=body, headers={"Content-Type": content_type})

    async def _status(self, _: BaseRequest) -> Response:
        status = self._inside.status()
        return views.answer(
            {
                "version": status.version,
                "since": views.at(status.since),
                "ready": status.unready is None,
                "unready": status.unready,
                "broker": {"connected": status.broker_connected, "error": status.broker_error or None},
                "outbox": views.outbox(self._inside.journal.depth()),
                "sources": list(status.sources),
            }
        )

    async def _mint(self, source: str, _: Mapping[str, Any]) -> Response:
        try:
            token, expires_at = self._inside.mint(source)
        except LookupError:
            raise Problem(404, "unknown_source", "No source has this name") from None
        return views.answer({"token": token, "expires_at": views.at(expires_at)}, status=201)


def _reading(handler: Handler) -> Handler:
    async def read(request: BaseRequest) -> StreamResponse:
        if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
            raise Problem.method(hdrs.METH_GET, hdrs.METH_HEAD)
        return await handler(request)

    return read


async def _nothing(_: BaseRequest) -> StreamResponse:
    raise Problem.not_found()
