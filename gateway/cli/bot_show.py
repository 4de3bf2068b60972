"""``bots show`` and ``bots logs``: what one bot told lately."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import accumulate
from typing import Any
from urllib.parse import quote

import click

from gateway.cli.bot_lines import bot_lines
from gateway.cli.http import call_api
from gateway.cli.output import json_text, print_json, print_lines
from gateway.cli.reply_lines import flat
from gateway.cli.session import Session, session_command

Entry = Mapping[str, Any]

_FOLLOW_EVERY = 1.0
_PAGE = 500
_SHOWN = 10
"""Events and notifications that a person is shown."""

_WIDE = 160
"""Characters of an event's data in its line."""

_LONGEST = 60
"""Characters of one value in it."""


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
        yield f"    {event['received_at']}  {event['type']}  {_pairs(event['data'])}"
    for notification in state["notifications"][-_SHOWN:]:
        yield from _below(f"    {notification['received_at']}  told its owner: ", notification["text"])
    if performance := state["performance"]:
        for controller, numbers in performance["controllers"].items():
            yield f"    {performance['received_at']}  {controller}: {_pairs(numbers)}"


def _pairs(data: Any) -> str:
    """NAME=VALUE as far as there is room, and how many are left out."""
    if not isinstance(data, Mapping):
        return _words(data)
    pairs = [f"{_words(name)}={_words(value)}" for name, value in flat(data)]
    shown = [pair for pair, end in zip(pairs, accumulate(len(pair) + 1 for pair in pairs), strict=True) if end <= _WIDE]
    left = len(pairs) - len(shown)
    return " ".join([*shown, *([f"and {left} more (--json shows all)"] if left else [])])


def _words(value: Any) -> str:
    """A value on one line, shortened between words where it has some."""
    text = value if isinstance(value, str) else json_text(value, indent=None)
    text = " ".join(text.split())
    if len(text) <= _LONGEST:
        return text
    head = text[:_LONGEST]
    return f"{head.rpartition(' ')[0] or head}…"
