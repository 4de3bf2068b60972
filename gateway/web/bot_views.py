"""What the API shows of a bot: how it is, and what it told lately."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.bots.roster import BotState
from gateway.web.views import at
from schemas.telemetry import InternalEvent, LogLine, Notification, Performance, Telemetry

Told = Iterable[tuple[int, Telemetry]]
"""Messages of a bot, each with the microsecond of its arrival."""


def bot(state: BotState) -> dict[str, Any]:
    """How a bot is."""
    shown, offset, heard = state.shown, state.offset, state.heard
    since = shown.bot.absent_since if shown else None
    ahead = heard.ahead if heard else None
    return {
        "name": state.name,
        "profile": state.profile,
        "state": heard.state.value if heard else "unknown",
        "alive": heard is not None and heard.alive,
        "state_since": _at(heard.since if heard else None),
        "last_seen_at": _at(heard.seen_at if heard else None),
        "last_seen_by": heard.seen_by.value if heard and heard.seen_by else None,
        "login": state.sources is not None,
        "sources": list(state.sources or ()),
        "online": shown is not None and since is None,
        "absent_since": _at(since),
        "subscriptions": list(shown.bot.filters) if shown else [],
        "durable": shown.durable if shown else None,
        "plugin": shown.plugin if shown else None,
        "clock": {
            "offset_seconds": None if offset.estimate is None else offset.estimate / 1e6,
            "heartbeat_ahead_seconds": None if ahead is None else ahead / 1e6,
            "problem": offset.problem,
        },
        "unreceived": state.unreceived,
        "last_receipt_at": _at(state.last_receipt),
    }


def told(*, events: Told, notifications: Told, performance: Told) -> dict[str, Any]:
    """What a bot told lately, oldest first, and how it does by its own account."""
    return {
        "events": [
            {**_when(arrived, one.at), "type": one.type, "data": dict(one.data)}
            for arrived, one in events
            if isinstance(one, InternalEvent)
        ],
        "notifications": [
            {**_when(arrived, one.at), "text": one.msg}
            for arrived, one in notifications
            if isinstance(one, Notification)
        ],
        "performance": next((_performance(*one) for one in performance), None),
    }


def logs(lines: Told) -> list[dict[str, Any]]:
    """A bot's log lines."""
    return [
        {
            **_when(arrived, line.at),
            "level": line.level_name or str(line.level),
            "logger": line.logger,
            "text": line.msg,
        }
        for arrived, line in lines
        if isinstance(line, LogLine)
    ]


def _performance(arrived: int, latest: Telemetry) -> dict[str, Any]:
    assert isinstance(latest, Performance)
    return {"received_at": at(arrived), "controllers": dict(latest.controllers)}


def _when(arrived: int, stamped: int | None) -> dict[str, str | None]:
    """When a message arrived, and when it was made, by the bot's clock."""
    return {"received_at": at(arrived), "at": _at(stamped)}


def _at(micros: int | None) -> str | None:
    return None if micros is None else at(micros)
