"""``bots show`` and ``bots logs``: what one bot told lately."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import click

from gateway.cli.bot_lines import bot_lines
from gateway.cli.http import call_api
from gateway.cli.output import print_json, print_lines
from gateway.cli.session import Session, session_command

Entry = Mapping[str, Any]

_FOLLOW_EVERY = 1.0
_PAGE = 500
_SHOWN = 10
"""Events and notifications that a person is shown."""

_WIDE = 160
"""Characters of an event's data in its line."""


@click.command("show")
@click.argument("name")
@session_command
def show(session: Session, name: str) -> None:
    """Show how a bot is, and its latest events, notifications and performance."""
    state = call_api(session.settings(), "GET", f"/bots/{quote(name, safe='')}")
    session.emit(state, [*bot_lines(state), *_told(state)])


@click.command("logs")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, _PAGE), default=100, show_default=True, help="How many of the latest.")
@click.option("--follow", is_flag=True, help="Go on with each new line; Ctrl-C ends it.")
@session_command
def logs(session: Session, name: str, limit: int, *, follow: bool) -> None:
    """Show a bot's latest log lines. With --follow and --json, one document per line."""
    settings, path = session.settings(), f"/bots/{quote(name, safe='')}/logs"
    page = call_api(settings, "GET", path, query={"limit": limit})
    if not follow:
        lines = [line for entry in page["logs"] for line in _log_lines(entry)]
        session.emit(page, lines or [f"bot {name} has logged nothing lately"])
        return
    with suppress(KeyboardInterrupt):
        while True:
            _print(session, page["logs"])
            if not page["logs"]:
                time.sleep(_FOLLOW_EVERY)
            page = call_api(settings, "GET", path, query={"after": page["next"], "limit": _PAGE})


def _print(session: Session, entries: Iterable[Entry]) -> None:
    for entry in entries:
        if session.as_json:
            print_json(entry, indent=None)
        else:
            print_lines(_log_lines(entry))


def _log_lines(entry: Entry) -> Iterator[str]:
    where = f"{entry['logger']}: " if entry["logger"] else ""
    return _below(f"{entry['at'] or entry['received_at']}  {entry['level']:<8}  {where}", entry["text"])


def _below(head: str, text: str) -> Iterator[str]:
    """A text behind its head; its further lines are indented, so that none looks like a head."""
    first, *further = text.strip().split("\n")
    yield f"{head}{first}"
    yield from (f"        {line}" for line in further)


def _told(state: Entry) -> Iterator[str]:
    for event in state["events"][-_SHOWN:]:
        yield f"    {event['received_at']}  {event['type']}  {_short(event['data'])}"
    for notification in state["notifications"][-_SHOWN:]:
        yield from _below(f"    {notification['received_at']}  told its owner: ", notification["text"])
    if performance := state["performance"]:
        for controller, numbers in performance["controllers"].items():
            yield f"    {performance['received_at']}  {controller}: {_short(numbers)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDE else f"{text[:_WIDE]}…"
