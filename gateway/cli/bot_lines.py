"""How a bot is, as lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def bot_lines(state: Mapping[str, Any]) -> Iterator[str]:
    """A line for a bot, and below it what it showed of itself and what is wrong; shorter without a gateway."""
    login = f"{', '.join(state['sources']) or 'all sources'}" if state["login"] else "no login"
    made = f", login made {state['created']}" if state.get("created") else ""
    yield f"{state['name']:<24} {_presence(state):<36} {login}{made}"
    if state.get("subscriptions"):
        yield f"    listens to {', '.join(state['subscriptions'])}"
    elif state.get("plugin") and state["online"]:
        yield "    asks for no signals now: none of its handlers is there, as while a strategy is stopped or not ready"
    if details := ", ".join(_details(state)):
        yield f"    {details}"
    if problem := state.get("clock", {}).get("problem"):
        yield f"    WRONG: its {problem}; let NTP set the clocks of both machines"


def _presence(state: Mapping[str, Any]) -> str:
    match state.get("state"):
        case None:
            return ""
        case "alive":
            return "online"
        case "unknown" if state["online"]:
            return "online by its card, silent"
        case "unknown":
            return f"absent since {state['absent_since']}" if state["absent_since"] else "never seen"
        case how:
            return f"{how} since {state['state_since']}"


def _details(state: Mapping[str, Any]) -> Iterator[str]:
    if state.get("plugin"):
        yield f"plugin {state['plugin']}"
    elif state.get("profile") == "plugin":
        yield "plugin"
    elif state.get("profile"):
        yield f"a stock bot ({state['profile']})"
    if state.get("last_seen_at"):
        yield f"last {state['last_seen_by']} {state['last_seen_at']}"
    if state.get("durable") is not None:
        yield "durable" if state["durable"] else "forgets at a restart"
    offset = state.get("clock", {}).get("offset_seconds")
    if offset is not None:
        yield f"clock {offset:+.1f} s"
    if state.get("unreceived"):
        yield f"{state['unreceived']} signals without a receipt"
    if state.get("last_receipt_at"):
        yield f"last receipt {state['last_receipt_at']}"
