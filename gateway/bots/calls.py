"""A call of a bot's command as a message, and what came back as an outcome: decided without a link or a clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from schemas.errors import ContractError
from schemas.rpc import ERROR, MAX_TEXT, OK, Reply, Request, read_reply, write_request
from schemas.signature import CommandKey, Signed, sign
from schemas.topics import Topics

CLIENT = "gateway"
"""The gateway's own name in reply topics."""

MOST_REPLY = 1_048_576
"""Bytes of a reply that is read; some 3,000 trades. Reading takes the event loop about 20 ms."""

_MOST_WORDS = 2_000
_MOST_QUOTED = 200


class Outcome(StrEnum):
    """What came of a command."""

    DONE = "done"
    """The bot says that it did it."""
    REFUSED = "refused"
    """The bot says that it did not do it."""
    UNKNOWN = "unknown"
    """It was done, or not: nobody has said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command to a bot.

    Args:
        command: as in its topic: ``balance/limit``, ``command/rebalance``.
        data: its parameters.
        who: whose key was shown.
        timeout: seconds to wait for the reply; what the bot finds later than that, it does not run.
        key: the caller's own id of the call, sent once; empty where it has none.
    """

    bot: str
    command: str
    data: Mapping[str, Any] = field(repr=False)
    who: str
    timeout: float
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of a call.

    Args:
        words: why, for a person; the bot's own where it refused. Empty where it is done.
        reply: as the bot sent it; None where there is none that can be read.
        size: bytes of the reply.
    """

    outcome: Outcome
    words: str = ""
    reply: Reply | None = None
    size: int = 0


class NotDelivered(Exception):
    """The bot did not get the command, and nothing was run; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Message:
    """A call as it is published."""

    topic: str
    payload: bytes


def msg_id(call: Call) -> str:
    """The id of a call with a key: the same each time, and no other caller's, whom a bot may not tell apart."""
    id_ = f"{call.who}:{call.key}"
    return id_ if len(id_) <= MAX_TEXT else hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()


def compose(
    call: Call, *, id_: str, number: str, now: int, deadline: int, topics: Topics, key: CommandKey | None
) -> Message:
    """Spell a call.

    Args:
        call: what is asked of whom.
        id_: the call's id, by which a bot knows a repeated one.
        number: 128 random bits in hexadecimal digits, by which its reply is known.
        now: microseconds since the epoch.
        deadline: until when it may be run, likewise.
        topics: the topic tree.
        key: signs it; None where the bot wants no signature.

    Raises:
        ValueError: its data is nothing that the wire can spell.
    """
    topic, reply_to = topics.command(call.bot, call.command), topics.reply(call.bot, CLIENT, number)
    signature = ""
    if key is not None:
        signed = Signed(topic=topic, msg_id=id_, deadline=deadline, reply_to=reply_to, data=call.data)
        signature = sign(signed, key)
    request = Request(
        data=call.data,
        reply_to=reply_to,
        msg_id=id_,
        sender=f"{CLIENT}/{call.who}",
        timestamp=now,
        deadline=deadline,
        signature=signature,
    )
    return Message(topic, write_request(request))


def judge(payload: bytes, *, bot: str) -> Ended:
    """Say what a reply means; one that cannot be read tells nothing."""
    size = len(payload)
    if size > MOST_REPLY:
        return unknown(f"{bot} answered with {size} bytes, of which the gateway reads {MOST_REPLY}", size=size)
    try:
        reply = read_reply(payload)
    except ContractError as error:
        return unknown(f"the answer of {bot} cannot be read ({str(error.faults[0])[:_MOST_QUOTED]})", size=size)
    if reply.status not in {OK, ERROR}:
        status = str(reply.status)[:_MOST_QUOTED]
        return unknown(f"{bot} answered with status {status}, which is neither {OK} nor {ERROR}", size=size)
    if reply.ok:
        return Ended(outcome=Outcome.DONE, reply=reply, size=size)
    words = reply.msg.strip()[:_MOST_WORDS] or "it does not say why"
    return Ended(outcome=Outcome.REFUSED, words=words, reply=reply, size=size)


def unknown(why: str, *, size: int = 0) -> Ended:
    """An outcome that nobody knows."""
    return Ended(outcome=Outcome.UNKNOWN, words=f"{why}: it may have run the command, or not", size=size)
