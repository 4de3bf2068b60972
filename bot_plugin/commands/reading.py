"""From a message to a call, or to why there is none. Pure, so that hostile bytes need no broker to be tried."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot_plugin.commands.outcome import Outcome
from bot_plugin.transport import Message
from schemas.errors import ContractError
from schemas.rpc import Request, may_reply, read_reply_to, read_request
from schemas.signature import CommandKey, SignatureRefused, signer, verify
from schemas.topics import TopicError, Topics

LARGEST = 262_144
"""Bytes of a request; a larger one is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What every message is held to.

    Args:
        bot: whose commands they are.
        topics: the topic tree.
        keys: the command keys by name; with any, only what one of them signed is run.
        legacy: whether replies may go to the topics of commlib-py and hummingbot-api.
    """

    bot: str
    topics: Topics
    keys: Mapping[str, CommandKey] = field(default_factory=dict, repr=False)
    legacy: bool = True

    def allow_reply(self, reply_to: str) -> bool:
        """Whether the bot may publish a reply there."""
        return may_reply(reply_to, bot=self.bot, topics=self.topics, legacy=self.legacy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command that may be run, as far as its envelope tells.

    Args:
        name: what follows the bot in the topic: ``stop``, ``command/rebalance``.
        key: what makes it the same call: of topic, sender and msg_id, or reply_to where it has no msg_id.
        fingerprint: of its parameters.
        data: its parameters, not checked yet.
        sender: who calls: the name of the key that signed it, else what it says of itself.
        good_until: microseconds since the epoch.
    """

    name: str
    key: bytes
    fingerprint: bytes
    data: Mapping[str, Any] = field(repr=False)
    reply_to: str
    msg_id: str
    sender: str
    good_until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a message is not run. ``reply_to`` is empty where nobody may be answered."""

    outcome: Outcome
    reason: str
    name: str
    reply_to: str = ""
    msg_id: str = ""
    sender: str = ""


def refuse(call: Call, outcome: Outcome, reason: str) -> Refusal:
    """Refuse a call that could be read."""
    return Refusal(
        outcome=outcome,
        reason=reason,
        name=call.name,
        reply_to=call.reply_to,
        msg_id=call.msg_id,
        sender=call.sender,
    )


def read(message: Message, rules: Rules, *, now: int) -> Call | Refusal:
    """Read a message on a command topic.

    Args:
        message: what arrived.
        rules: what it is held to.
        now: when it arrived, microseconds since the epoch.
    """
    name = _name(message.topic, rules)
    if len(message.payload) > LARGEST:
        reason = f"it has {len(message.payload)} bytes, and at most {LARGEST} are read"
        return Refusal(outcome=Outcome.UNREADABLE, reason=reason, name=name)
    try:
        request = read_request(message.payload)
    except ContractError as error:
        return _unreadable(message, rules, name, str(error))
    sender, signed = request.sender, ""
    if rules.keys:
        try:
            request = _verified(request, message.topic, rules, now=now)
        except SignatureRefused as error:
            reply_to = request.reply_to if rules.allow_reply(request.reply_to) else ""
            return Refusal(
                outcome=Outcome.SIGNATURE,
                reason=str(error),
                name=name,
                reply_to=reply_to,
                msg_id=request.msg_id,
                sender=sender,
            )
        sender = signed = signer(request.signature)
    if not rules.allow_reply(request.reply_to):
        return Refusal(
            outcome=Outcome.REPLY_TO, reason=_bad(request.reply_to), name=name, msg_id=request.msg_id, sender=sender
        )
    same = ("msg_id", request.msg_id) if request.msg_id else ("reply_to", request.reply_to)
    return Call(
        name=name,
        key=_digest([message.topic, signed, sender, *same]),
        fingerprint=_digest(request.data),
        data=request.data,
        reply_to=request.reply_to,
        msg_id=request.msg_id,
        sender=sender,
        good_until=request.good_until(arrived_at=now),
    )


def _verified(request: Request, topic: str, rules: Rules, *, now: int) -> Request:
    """The request as it was signed: what its header says beside the signature does not count.

    Raises:
        SignatureRefused: saying why.
    """
    signed = verify(request.signature, topic=topic, keys=rules.keys, now=now)
    return replace(request, data=signed.data, msg_id=signed.msg_id, reply_to=signed.reply_to, deadline=signed.deadline)


def _unreadable(message: Message, rules: Rules, name: str, problem: str) -> Refusal:
    reply_to = read_reply_to(message.payload)
    if rules.allow_reply(reply_to):
        return Refusal(outcome=Outcome.INVALID, reason=problem, name=name, reply_to=reply_to)
    return Refusal(outcome=Outcome.UNREADABLE, reason=problem, name=name)


def _bad(reply_to: str) -> str:
    return (
        f"reply_to is {reply_to!r}: no topic that a reply may go to, such as ROOT/v1/reply/BOT/CLIENT/CALL;"
        " it is refused and not run"
    )


def _name(topic: str, rules: Rules) -> str:
    try:
        bot, name = rules.topics.bot_of(topic)
    except TopicError:
        return topic
    return name if bot == rules.bot else topic


def _digest(document: Any) -> bytes:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()
