"""``signals``: what came in, and the life of one signal, station by station."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from gateway.cli.http import call_api
from gateway.cli.life import life_lines
from gateway.cli.session import Session, session_command


@click.command()
@click.argument("id_", metavar="[ID]", required=False)
@click.option("--source", help="Only those of this source.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many.")
@click.option("--refused", is_flag=True, help="The requests that were refused instead.")
@session_command
def command(session: Session, id_: str | None, source: str | None, limit: int, *, refused: bool) -> None:
    """List the newest signals, or show the life of one with its times."""
    settings = session.settings()
    if id_ is not None:
        life = call_api(settings, "GET", f"/signals/{quote(id_, safe='')}")
        session.emit(life, life_lines(life))
        return
    path = "/refusals" if refused else "/signals"
    document = call_api(settings, "GET", path, query={"source": source, "limit": limit})
    rows = document.get("refusals" if refused else "signals", [])
    line = _refusal_line if refused else _line
    session.emit(document, [line(row) for row in rows] or ["none"])


def _line(life: Mapping[str, Any]) -> str:
    data = life.get("envelope", {}).get("data", {})
    what = data.get("action") or life.get("body", "")
    stations = [f"{one['destination']} {one['station']}" for one in life.get("deliveries", [])]
    stages = [f"{one['bot']} {one['stage']}" for one in life.get("receipts", [])]
    outcome = ", ".join(stages[-2:] or stations)
    words = (life["accepted_at"], life["source"], f"{what:<6}", f"{life['instrument']:<16}", outcome, life["id"])
    return "  ".join(map(str, words))


def _refusal_line(refusal: Mapping[str, Any]) -> str:
    faults = refusal.get("errors") or [{}]
    first = f"{faults[0].get('where', '')}: {faults[0].get('problem', '')}".removeprefix(": ")
    cause = f". {faults[0]['cause']}" if faults[0].get("cause") else ""
    return f"{refusal.get('at')}  {refusal.get('source')}  {refusal.get('code')}  {first}{cause}  {refusal.get('id')}"
