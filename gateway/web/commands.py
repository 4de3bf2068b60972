"""The API of the bots' commands: a request in, a command out, and an answer that says unknown where nobody knows."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from aiohttp.web import BaseRequest, Response

from gateway.bots.calls import Call, Ended, NotDelivered, Outcome
from gateway.errors import Code, Refused
from gateway.roles import Caller
from gateway.web import views
from gateway.web.problem import RETRY_AFTER, Problem
from gateway.web.reception import idempotency_key
from gateway.web.roles import forbidden
from schemas.command import PARAMETERS, Command, parameters
from schemas.errors import ContractError, Fault
from schemas.fields import is_name

Send = Callable[[Call], Awaitable[Ended]]
"""See ``Commands.send``."""

COMMANDS: Mapping[str, Command] = {command.replace("/", "-"): command for command in Command}
"""By the word in the address."""

TIMEOUT = 35.0
"""Seconds; a stock Hummingbot gives a command 30."""

_LONGEST = 60.0
_SECONDS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?", re.ASCII)


def command_of(words: list[str]) -> str:
    """The command that the end of an address names, as in its topic: a known one, or ``command/NAME``.

    Raises:
        Problem: it names none.
    """
    match words:
        case [word] if word in COMMANDS:
            return COMMANDS[word].value
        case ["command", name] if is_name(name):
            return f"command/{name}"
    detail = f"Commands are {', '.join(COMMANDS)}, and command/NAME for a bot's own."
    raise Problem(404, "unknown_command", "No command has this name", detail=detail)


class CommandsApi:
    """Sends commands for callers that may."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def act(
        self, bot: str, data: Mapping[str, Any], *, words: list[str], request: BaseRequest, caller: Caller
    ) -> Response:
        """Send a command and answer what came of it.

        Raises:
            Refused: its parameters are wrong; nothing was sent.
            Problem: it may not be sent, was not delivered, was refused by the bot, or nobody knows.
        """
        if not is_name(bot):
            raise Problem.bad_request("A bot's name has only A-Z a-z 0-9 _ and -, 1 to 128 of them.")
        command = command_of(words)
        if not caller.may_command(bot):
            raise forbidden(f"{caller.name} commands {', '.join(caller.bots)} only.")
        _check(command, data)
        key = idempotency_key(request.headers.get("Idempotency-Key")) or ""
        call = Call(bot=bot, command=command, data=data, who=caller.name, timeout=_timeout(request), key=key)
        try:
            ended = await self._send(call)
        except NotDelivered as error:
            raise Problem(
                503, "not_delivered", "The bot did not get it: nothing was run",
                detail=str(error), headers={"Retry-After": RETRY_AFTER}, more={"bot": bot, "command": command},
            ) from None  # fmt: skip
        return _answer(call, ended)


def _answer(call: Call, ended: Ended) -> Response:
    view: dict[str, Any] = {"outcome": ended.outcome.value, "bot": call.bot, "command": call.command}
    if ended.reply is not None:
        view["reply"] = {"status": ended.reply.status, "msg": ended.reply.msg, **ended.reply.more}
    match ended.outcome:
        case Outcome.DONE:
            return views.answer(view)
        case Outcome.REFUSED:
            raise Problem(409, "refused_by_bot", "The bot refused it", detail=ended.words, more=view)
        case Outcome.UNKNOWN:
            raise Problem(504, "unanswered", "Nobody knows whether it was done", detail=ended.words, more=view)


def _check(command: str, data: Mapping[str, Any]) -> None:
    """Find what is wrong with parameters, a name that the command does not have included: it may be a slip.

    Raises:
        Refused: with every fault.
    """
    if command not in set(Command):
        return
    faults = [*_unknown(Command(command), data)]
    try:
        parameters(Command(command), data)
    except ContractError as error:
        faults += error.faults
    if faults:
        raise Refused(Code.INVALID, *faults)


def _unknown(command: Command, data: Mapping[str, Any]) -> Iterator[Fault]:
    known = PARAMETERS[command]().fields
    for name in data:
        if name not in known:
            cause = f"It has {', '.join(known)}."
            yield Fault(where=name[:80], problem=f"is no parameter of {command}", cause=cause)


def _timeout(request: BaseRequest) -> float:
    text = request.query.get("timeout")
    if text is None:
        return TIMEOUT
    seconds = float(text) if _SECONDS.fullmatch(text) else 0.0
    if not 1 <= seconds <= _LONGEST:
        raise Problem.bad_request(f"timeout is seconds, 1 to {_LONGEST:g}.")
    return seconds
