"""What a bot tells of itself, in Hummingbot's payloads: written byte for byte, read with patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.document import dump, parse_object
from schemas.errors import ContractError, Fault
from schemas.fields import is_number
from schemas.times import any_time

ONLINE, OFFLINE = "online", "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """On ``hb``, every 10 s. ``at`` is microseconds since the epoch; None where it cannot be read."""

    at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """On ``status_updates``: ``availability`` says ``online`` or ``offline``."""

    msg: str
    type: str = "availability"
    at: int | None = None

    @property
    def offline(self) -> bool:
        """Whether the bot says that it goes."""
        return self.type == "availability" and self.msg == OFFLINE

    @property
    def online(self) -> bool:
        """Whether the bot says that it connected."""
        return self.type == "availability" and self.msg == ONLINE


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalEvent:
    """On ``events``: what happened to an order, by Hummingbot's names, such as ``OrderFilled``."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """On ``notify``: a text for the bot's owner. Hummingbot's own have no time."""

    msg: str
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """On ``log``. ``level`` is as ``logging`` has it."""

    msg: str
    level: int = 20
    level_name: str = "INFO"
    logger: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """On ``performance``: by controller, how it does; a stopped one has nothing."""

    controllers: Mapping[str, Mapping[str, Any]]


Telemetry = Heartbeat | StatusUpdate | InternalEvent | Notification | LogLine | Performance


def write(telemetry: Telemetry) -> bytes:
    """Write what a bot tells, as Hummingbot does: microseconds, milliseconds, seconds and seconds with a fraction.

    Raises:
        ValueError: a value that JSON cannot spell.
    """
    at = getattr(telemetry, "at", None) or 0
    match telemetry:
        case Heartbeat():
            return dump({"ts": at})
        case StatusUpdate():
            return dump({"timestamp": at // 1_000, "type": telemetry.type, "msg": telemetry.msg})
        case InternalEvent():
            return dump({"timestamp": at // 1_000_000, "type": telemetry.type, "data": dict(telemetry.data)})
        case Notification():
            return dump({"seq": 0, "timestamp": str(at // 1_000) if at else "-1", "msg": telemetry.msg})
        case LogLine():
            return dump(
                {
                    "timestamp": at / 1_000_000,
                    "msg": telemetry.msg,
                    "level_no": telemetry.level,
                    "level_name": telemetry.level_name,
                    "logger_name": telemetry.logger,
                }
            )
        case Performance():
            return dump({name: dict(told) for name, told in telemetry.controllers.items()})


def read(channel: str, payload: bytes) -> Telemetry:
    """Read what a bot, a stock one or ours, put on a channel.

    Stock bots spell a figure that they do not know, such as the price of a market order, ``NaN``: it is null here.

    Raises:
        ContractError: it is no JSON object, or lacks what its channel is for.
    """
    document = parse_object(payload, nan_as_null=True)
    match channel:
        case "hb":
            return Heartbeat(at=any_time(document.get("ts")))
        case "status_updates":
            kind = _text(document, "type", default="availability")
            return StatusUpdate(msg=_text(document, "msg"), type=kind, at=_at(document))
        case "events":
            data = document.get("data")
            kept = data if isinstance(data, dict) else {}
            return InternalEvent(type=_text(document, "type", default="Unknown"), data=kept, at=_at(document))
        case "notify":
            return Notification(msg=_text(document, "msg"), at=_at(document))
        case "log":
            level = document.get("level_no")
            return LogLine(
                msg=_text(document, "msg"),
                level=int(level) if level is not None and is_number(level) else 0,
                level_name=_text(document, "level_name", default=""),
                logger=_text(document, "logger_name", default=""),
                at=_at(document),
            )
        case "performance":
            return Performance(controllers={name: told for name, told in document.items() if isinstance(told, dict)})
    raise ContractError(Fault(where="", problem=f"{channel[:80]!r} is no channel of a bot"))


def _at(document: Mapping[str, Any]) -> int | None:
    return any_time(document.get("timestamp"))


def _text(document: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    value = document.get(name, default)
    if not isinstance(value, str):
        raise ContractError(Fault(where=name, problem="must be text"))
    return value
