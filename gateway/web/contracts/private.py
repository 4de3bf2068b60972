"""The operations of the private listener."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, fields

from gateway.web.commands import COMMANDS
from gateway.web.contracts import answers as a
from gateway.web.contracts.operations import TEXT, Answer, Body, Operation, in_header, in_path, in_query
from gateway.web.query import MOST
from schemas.command import PARAMETERS
from schemas.export import Document

_OPEN = ("bad_request", "internal")
_READ = (*_OPEN, "unauthorised", "forbidden", "forbidden_host", "forbidden_origin")
_CHANGE = (*_READ, "unreadable", "unsupported_media_type", "unknown_encoding", "too_large", "timeout", "not_stored")
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_NAME: Document = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}
_WORD: Document = {"type": "string", "pattern": "^[a-z_.-]{1,64}$"}

_SIGNAL = in_path("id", "A signal's id.", schema={"type": "string", "pattern": "^[0-9A-Za-z-]{1,64}$"})
_BOT = in_path("bot", "A bot's name.", schema=_NAME)
_KEY = in_header("Idempotency-Key", "Makes the request safe to repeat; at most 255 characters.")
_LIMIT = in_query("limit", f"How many, at most {MOST}.", **_NUMBER)
_WINDOW = (
    in_query("source", "Only those of this source.", **_NAME),
    _LIMIT,
    in_query("before", "The `next` of the page before.", **_NUMBER),
)
_TIMEOUT = in_query("timeout", "Seconds to wait for the bot.", type="number", minimum=1, maximum=60)


class WithdrawSchema(Schema):
    """Why a signal is stopped."""

    reason = fields.String(allow_none=True, metadata={"description": "The bots' receipts repeat it."})


def private_operations() -> Iterator[Operation]:
    """Every operation of the private listener."""
    yield from _health()
    yield from _documents()
    yield _get("status", "/api/v1/status", "How the gateway is.", a.GatewayStatusSchema)
    yield _get("signals", "/api/v1/signals", "The newest signals.", a.SignalsSchema, parameters=_WINDOW)
    yield _get(
        "signal", "/api/v1/signals/{id}", "The life of one signal.", a.LifeSchema,
        parameters=(_SIGNAL,), problems=(*_READ, "unknown_signal"),
    )  # fmt: skip
    yield _withdraw()
    yield _get("refusals", "/api/v1/refusals", "The newest refused requests.", a.RefusalsSchema, parameters=_WINDOW)
    yield from _bots()
    yield from _commands()
    yield _post(
        "tokens", "/api/v1/sources/{source}/tokens", "Make a token that opens a source once, within 60 s.",
        {201: Answer(text="The token.", schema=a.TokenSchema)},
        parameters=(in_path("source", "A source's name."),), problems=(*_CHANGE, "unknown_source"),
    )  # fmt: skip


def _health() -> Iterator[Operation]:
    ready = {
        200: Answer(text="Signals can be accepted.", schema=a.ReadySchema),
        503: Answer(text="They cannot.", schema=a.ReadySchema),
    }
    metrics = Answer(text="The metrics.", content=(TEXT, "application/openmetrics-text"))
    page = Answer(text="The page.", content=("text/html",))
    alive = {200: Answer(text="The process answers.", schema=a.AliveSchema)}
    for route, summary, given in (
        ("livez", "Whether the process lives.", alive),
        ("readyz", "Whether signals can be accepted.", ready),
        ("metrics", "Metrics for Prometheus.", {200: metrics}),
        ("contracts", "These contracts as a page.", {200: page}),
    ):
        yield Operation(
            name=route, route=route, path=f"/{route}", summary=summary, answers=given, problems=_OPEN, secrets=()
        )


def _documents() -> Iterator[Operation]:
    given = {200: Answer(text="The document.")}
    for file, of in (
        ("openapi.json", "the private listener"),
        ("openapi-public.json", "the public listener"),
        ("asyncapi.json", "the topics"),
    ):
        yield Operation(
            name=file.removesuffix(".json"), route="contract", path=f"/api/v1/{file}",
            summary=f"The contract of {of}.", answers=given, problems=_READ,
        )  # fmt: skip
    name = in_path("name", "A body's or a message's name, such as `signal.trade`.", schema=_WORD)
    yield Operation(
        name="schema", route="contract", path="/api/v1/schemas/{name}.json", summary="A JSON Schema.",
        answers=given, parameters=(name,), problems=(*_READ, "not_found"),
    )  # fmt: skip


def _withdraw() -> Operation:
    return _post(
        "withdraw", "/api/v1/signals/{id}/withdraw", "Stop a signal.",
        {
            200: Answer(text="No bot gets it any more.", schema=a.WithdrawnSchema),
            202: Answer(text="A withdrawal goes after it.", schema=a.WithdrawnSchema),
        },
        parameters=(_SIGNAL,), body=Body(schema=WithdrawSchema),
        problems=(*_CHANGE, "unknown_signal", "nothing_to_withdraw"),
    )  # fmt: skip


def _bots() -> Iterator[Operation]:
    known = (*_READ, "unknown_bot")
    yield _get("bots", "/api/v1/bots", "Every bot.", a.BotsSchema)
    yield _get(
        "bot", "/api/v1/bots/{bot}", "One bot, and what it told lately.", a.OneBotSchema,
        parameters=(_BOT,), problems=known,
    )  # fmt: skip
    after = in_query("after", "The `next` of an earlier answer.", **_NUMBER)
    yield _get(
        "logs", "/api/v1/bots/{bot}/logs", "A bot's latest log lines.", a.LogsSchema,
        parameters=(_BOT, _LIMIT, after), problems=known,
    )  # fmt: skip
    yield _post(
        "forget", "/api/v1/bots/{bot}/forget", "Expect a bot no more.",
        {200: Answer(text="What was forgotten.", schema=a.ForgottenSchema)}, parameters=(_BOT,), problems=_CHANGE,
    )  # fmt: skip


def _commands() -> Iterator[Operation]:
    for word, command in COMMANDS.items():
        body = Body(schema=PARAMETERS[command], closed=True)
        yield _command(f"command-{word}", word, f"Send a bot the command `{command}`.", body)
    own = in_path("name", "The command's name.", schema=_NAME)
    yield _command("command", "command/{name}", "Send a bot a command of its own.", Body(), own)


def _command(name: str, words: str, summary: str, body: Body, *more: Any) -> Operation:
    ended = ("invalid", "key_reused", "refused_by_bot", "unanswered", "not_delivered", "unknown_command")
    return Operation(
        name=name, route="command", method="post", path=f"/api/v1/bots/{{bot}}/commands/{words}", summary=summary,
        answers={200: Answer(text="The bot says that it did it.", schema=a.OutcomeSchema)},
        parameters=(_BOT, *more, _TIMEOUT, _KEY), body=body, problems=(*_CHANGE, *ended),
    )  # fmt: skip


def _get(route: str, path: str, summary: str, schema: type[Schema], **more: Any) -> Operation:
    answers = {200: Answer(text=schema.__doc__ or "", schema=schema)}
    return Operation(
        name=route, route=route, path=path, summary=summary, answers=answers, **{"problems": _READ, **more}
    )


def _post(route: str, path: str, summary: str, answers: dict[int, Answer], **more: Any) -> Operation:
    given = {"body": Body(), "problems": _CHANGE, **more}
    return Operation(name=route, route=route, method="post", path=path, summary=summary, answers=answers, **given)
