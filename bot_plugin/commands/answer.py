"""What a handler says, as the reply that the caller gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot_plugin.commands.spelling import Unspellable, spell
from bot_plugin.wording import describe_error, in_receipt
from schemas.command import Command
from schemas.rpc import ERROR, OK, Reply, write_reply

MAX_REPLY = 250_000
"""Bytes of a reply unless told otherwise: with its topic it passes the gateway's embedded broker."""

_FIELDS = {Command.HISTORY.value: "trades", Command.CONFIG.value: "config"}
_RESERVED = frozenset({"status", "msg"})


class CommandFailed(Exception):
    """A command that could not be done; the text is what the caller reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer with every field that the reply is to have.

    Args:
        msg: for a person.
        more: further fields by name: ``data``, ``trades``, ``changes``, ``config``.
    """

    msg: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse fields that the reply has of itself.

        Raises:
            ValueError: naming them.
        """
        if taken := sorted(_RESERVED & set(self.more)):
            raise ValueError(f"{', '.join(taken)} cannot be in more: a reply has a status and a msg of its own")


def reply_of(result: Any, *, command: str) -> Reply:
    """What a handler returned, as a reply: a text is its ``msg``, anything else goes to the command's own field.

    Raises:
        Unspellable: JSON cannot say it.
    """
    if result is None:
        return Reply(status=OK)
    if isinstance(result, str):
        return Reply(status=OK, msg=result)
    if isinstance(result, Answer):
        more = {str(name): spell(value, where=str(name)) for name, value in result.more.items()}
        return Reply(status=OK, msg=str(result.msg), more=more)
    name = _FIELDS.get(command, "data")
    return Reply(status=OK, more={name: spell(result, where=name)})


def failure(error: BaseException) -> Reply:
    """An error of a handler, as a reply: its own words."""
    words = (str(error) or "the command failed") if isinstance(error, CommandFailed) else describe_error(error)
    return refusal(words)


def refusal(reason: str) -> Reply:
    """A 400 that says why."""
    return Reply(status=ERROR, msg=in_receipt(reason))


def encode(reply: Reply, *, most: int) -> bytes:
    """Write a reply of at most so many bytes.

    Raises:
        Unspellable: it is too large, or has a text that is no Unicode.
    """
    try:
        payload = write_reply(reply)
    except ValueError as error:
        raise Unspellable(str(error)) from None
    if len(payload) > most:
        raise Unspellable(too_large(len(payload), most=most))
    return payload


def too_large(size: int, *, most: int) -> str:
    """Why a reply cannot be sent."""
    return f"it has {size} bytes, and at most {most} fit; ask for less, such as fewer days"
