"""What came of a command, from what is known of it: a pure function, so that every case can be tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from bot_plugin.client.bot import Bot
from bot_plugin.client.calls import Call
from bot_plugin.client.results import Outcome, Result
from bot_plugin.transport import REFUSED
from schemas.errors import ContractError
from schemas.rpc import Reply

T = TypeVar("T")

UNHEARD = 0x10
"""The broker's reason code for a message that nobody listens to (MQTT 5)."""

_DENIED = (
    "; or this login may not command it, of which a broker on MQTT 3.1.1 says nothing: "
    "`signal-gateway clients list` says its role"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is known of a call when its waiting has ended.

    Args:
        reply: the bot's answer; None where none came.
        published: whether it was sent to the broker.
        code: the broker's answer to that; None where it gave none.
        lost: whether the connection to the broker ended while the call waited.
        unreadable: what was wrong with an answer that could not be read; empty where none came.
        took: seconds.
        limit: the bots that the client is limited to, where this one is not among them: nothing was sent.
    """

    reply: Reply | None = None
    published: bool = False
    code: int | None = None
    lost: bool = False
    unreadable: str = ""
    took: float = 0.0
    limit: tuple[str, ...] = ()


def conclude(call: Call[T], bot: Bot, exchange: Exchange, *, msg_id: str) -> Result[T]:
    """Say what came of a call.

    Args:
        call: what was asked for.
        bot: what was seen of the bot by then.
        exchange: what happened.
        msg_id: the call's id.
    """
    known: dict[str, Any] = {
        "bot": bot.name,
        "command": call.command,
        "msg_id": msg_id,
        "took": exchange.took,
        "sent": exchange.published and exchange.code != UNHEARD,
    }
    if exchange.reply is not None:
        return _answered(call, bot, exchange.reply, {**known, "sent": True})
    if exchange.limit:
        words = f"not sent: this client is limited to {', '.join(exchange.limit)} (settings.bots, SIGNAL_GATEWAY_BOTS)"
        return Result(outcome=Outcome.REFUSED, msg=words, **known)
    if exchange.code is not None and exchange.code >= REFUSED:
        words = f"the broker does not let this login send {call.command} to {bot.name} (reason {exchange.code:#x})"
        return Result(outcome=Outcome.REFUSED, msg=words, **{**known, "sent": False})
    return Result(outcome=Outcome.UNKNOWN, reason=_silence(bot, exchange), **known)


def _answered(call: Call[T], bot: Bot, reply: Reply, known: dict[str, Any]) -> Result[T]:
    known = {**known, "status": reply.status, "msg": reply.msg, "more": reply.more}
    if not reply.ok:
        return Result(outcome=Outcome.REFUSED, **known)
    confirmed = bot.serves(call.command) or not call.empty_word
    try:
        return Result(outcome=Outcome.DONE, confirmed=confirmed, data=call.read(reply), **known)
    except ContractError as error:
        words = f"it was done, and what it answers has a shape of its own ({error}): see `more`"
        return Result(outcome=Outcome.DONE, confirmed=confirmed, reason=words, **known)


def _silence(bot: Bot, exchange: Exchange) -> str:
    after = f"{exchange.took:.1f} s"
    if not exchange.published:
        return f"the broker was away for all the {after} of this call: it was not sent"
    if exchange.code == UNHEARD:
        who = f"bot {bot.name!r} is alive and does not take this command" if bot.alive else _seen(bot)
        return f"nobody listens for it: {who}. It was not run"
    if exchange.unreadable:
        said, denied = f"an answer came that cannot be read: {exchange.unreadable}", ""
    else:
        said, denied = "no answer came", _DENIED
    lost = " The connection to the broker was lost meanwhile, and an answer with it, perhaps." if exchange.lost else ""
    return f"{said} within {after}: {_seen(bot)}{denied}.{lost}"


def _seen(bot: Bot) -> str:
    if bot.gone:
        return f"bot {bot.name!r} has gone offline"
    if bot.alive:
        return f"bot {bot.name!r} is alive, and busy, or cannot read the request: a stock one says nothing then"
    if bot.silent_for is None:
        return f"no bot {bot.name!r} was seen at this broker"
    return f"bot {bot.name!r} is silent for {bot.silent_for:.0f} s"
