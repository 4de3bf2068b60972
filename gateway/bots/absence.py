"""Why nobody listens to a command, by what is known of its bot. Pure."""

from __future__ import annotations

from gateway.bots.liveness import State
from gateway.bots.roster import BotState
from schemas.fields import micros_text

UNKNOWN = "it has no login, no source names it, and it was not heard."

_MOST_SHOWN = 20


def absence(state: BotState | None, *, bot: str, command: str) -> str:
    """Say it in words that follow the topic's name, and what to do.

    Args:
        state: how the bot is; None where nothing is known of it.
        bot: its name.
        command: as in its topic.
    """
    if state is None:
        return f"there is no bot {bot[:64]}: {UNKNOWN} signal-gateway bots list names them."
    shown, heard = state.shown, state.heard
    if heard is not None and heard.state in {State.DEAD, State.LEFT}:
        since = f" since {_time(heard.since)}" if heard.since is not None else ""
        seen = f"; its last sign of life was at {_time(heard.seen_at)}" if heard.seen_at is not None else ""
        return f"{bot} is dead{since}{seen}." if heard.state is State.DEAD else f"{bot} left{since}: start it."
    if shown is not None and shown.bot.absent_since is not None:
        return f"{bot} is absent since {_time(shown.bot.absent_since)}."
    if shown is not None and shown.commands and command not in shown.commands:
        has = sorted(shown.commands)
        more = f" and {len(has) - _MOST_SHOWN} more" if len(has) > _MOST_SHOWN else ""
        return f"{bot} is there and has no such command; it has {', '.join(has[:_MOST_SHOWN])}{more}."
    if shown is not None and not shown.commands:
        return f"{bot} is there, and its card lists no commands: it serves none."
    if heard is None or heard.seen_at is None:
        return f"{bot} was not heard since the gateway started: it is not connected, or has no such command."
    return f"{bot} is not connected, or has no such command."


def _time(micros: int) -> str:
    return f"{micros_text(micros)[:19]}Z"
