"""Hummingbot's RPC: request and reply, with what this contract adds to the header of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.document import dump, parse_object
from schemas.errors import ContractError, Fault
from schemas.fields import is_number
from schemas.times import any_time
from schemas.topics import Topics

OK, ERROR = 200, 400
"""The only two statuses that a reply has."""

PATIENCE = 30_000_000
"""Microseconds that a request without a deadline is good for: what the stock bridge gives a command to run."""

MAX_TEXT = 256
"""Characters of an id, a name or a reply topic in a header."""

_MAX_SIGNATURE = 65_536
_NO_ID = "-1"
"""What some headers of commlib-py have for a message without an id."""

_LEGACY = re.compile(r"rpc-[0-9a-f]{32}|hummingbot-api-response-\d{1,32}|hummingbot-api/response/\d{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command as it came. Times are microseconds since the epoch.

    Args:
        data: the parameters.
        reply_to: the topic of the reply; empty where nobody waits for one.
        msg_id: the caller's id of this call; empty where it has none, as with commlib-py.
        sender: who calls, as it says of itself: its agent, else its node id.
        timestamp: when it was written; None where it does not say.
        deadline: until when it may be run; None where it does not say.
        signature: a compact JWS over what is to be run; empty where it has none.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str = ""
    msg_id: str = ""
    sender: str = ""
    timestamp: int | None = None
    deadline: int | None = None
    signature: str = ""

    def good_until(self, *, arrived_at: int) -> int:
        """Until when it may be run; a caller's clock that is ahead gives it no more time."""
        if self.deadline is not None:
            return self.deadline
        return min(arrived_at if self.timestamp is None else self.timestamp, arrived_at) + PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a bot answers.

    Args:
        status: 200 or 400.
        msg: why, for a person; may be empty.
        more: what else the command answers, by name: ``data``, ``trades``, ``changes``, ``config``.
        timestamp: when it was written, microseconds since the epoch; None where it does not say.
    """

    status: int
    msg: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    timestamp: int | None = None

    @property
    def ok(self) -> bool:
        """Whether the bot says that it did it."""
        return self.status == OK


def read_request(payload: bytes) -> Request:
    """Read a request. Only ``header`` and ``data`` count; a missing one is empty, as the stock bridge has it.

    Raises:
        ContractError: it is no JSON object, or a part of it has the wrong shape.
    """
    document = parse_object(payload)
    header, data = document.get("header"), document.get("data")
    wrong = [name for name, part in (("header", header), ("data", data)) if not isinstance(part, dict | None)]
    if wrong:
        raise ContractError(*(Fault(where=name, problem="must be an object") for name in wrong))
    header = header or {}
    deadline = any_time(header.get("deadline"))
    if deadline is None and header.get("deadline") is not None:
        problem = "must be a time, such as 1786000000000 (milliseconds)"
        raise ContractError(Fault(where="header.deadline", problem=problem))
    msg_id = _text(header, "msg_id")
    return Request(
        data=data or {},
        reply_to=_text(header, "reply_to"),
        msg_id="" if msg_id == _NO_ID else msg_id,
        sender=_text(header, "agent") or _text(header, "node_id"),
        timestamp=any_time(header.get("timestamp")),
        deadline=deadline,
        signature=_text(header, "signature", most=_MAX_SIGNATURE),
    )


def read_reply_to(payload: bytes) -> str:
    """Where a request that cannot be read wants its reply; empty where that cannot be read either."""
    try:
        header = parse_object(payload).get("header")
        return _text(header, "reply_to") if isinstance(header, dict) else ""
    except ContractError:
        return ""


def write_request(request: Request) -> bytes:
    """Write a request: times as milliseconds, what is not known left out, ``reply_to`` always.

    Raises:
        ValueError: ``data`` is nothing that JSON can spell.
    """
    header: dict[str, Any] = {"reply_to": request.reply_to}
    for name, value in (("timestamp", request.timestamp), ("deadline", request.deadline)):
        header |= {} if value is None else {name: value // 1_000}
    header |= {"msg_id": request.msg_id} if request.msg_id else {}
    header |= {"node_id": request.sender, "agent": request.sender} if request.sender else {}
    header |= {"signature": request.signature} if request.signature else {}
    return dump({"header": header, "data": dict(request.data)})


def read_reply(payload: bytes) -> Reply:
    """Read a reply of a stock bot or of ours.

    Raises:
        ContractError: it is none.
    """
    document = parse_object(payload)
    header, data = document.get("header"), document.get("data")
    if not isinstance(data, dict) or data.get("status").__class__ is not int:
        raise ContractError(Fault(where="data.status", problem="must be a whole number: 200 or 400"))
    msg = data.get("msg")
    return Reply(
        status=data["status"],
        msg=msg if isinstance(msg, str) else "" if msg is None else str(msg),
        more={name: value for name, value in data.items() if name not in {"status", "msg"}},
        timestamp=any_time(header.get("timestamp")) if isinstance(header, dict) else None,
    )


def write_reply(reply: Reply) -> bytes:
    """Write a reply in the stock bridge's shape.

    Raises:
        ValueError: ``more`` is nothing that JSON can spell.
    """
    stamp = {} if reply.timestamp is None else {"timestamp": reply.timestamp // 1_000}
    header = {"reply_to": "", **stamp, "content_type": "json", "encoding": "utf8", "agent": "commlib"}
    return dump({"header": header, "data": {"status": reply.status, "msg": reply.msg, **reply.more}})


def may_reply(reply_to: str, *, bot: str, topics: Topics, legacy: bool = True) -> bool:
    """Whether a bot may publish a reply on a topic that the caller chose.

    A stock bot stops on any JSON that reaches its ``stop`` topic, so a topic that a caller may choose freely is a
    weapon.

    Args:
        reply_to: what the caller chose.
        bot: whose reply it would be.
        topics: the topic tree.
        legacy: whether the topics of commlib-py and hummingbot-api are allowed too.
    """
    return topics.is_reply(reply_to, bot=bot) or (legacy and _LEGACY.fullmatch(reply_to) is not None)


def _text(header: Mapping[str, Any], name: str, *, most: int = MAX_TEXT) -> str:
    value = header.get(name)
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value) if is_number(value) else None
    if text is None or len(text) > most:
        raise ContractError(Fault(where=f"header.{name}", problem=f"is text of at most {most} characters"))
    return text
