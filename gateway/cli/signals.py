"""``signals``: what came in, and the life of one signal, station by station."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote

import click

from gateway.cli.http import call_api
from gateway.cli.life import life_lines
from gateway.cli.session import Session, session_command
from gateway.config import Settings
from schemas.receipt import Stage

Entry = Mapping[str, Any]

_DONE = (Stage.HANDLED, Stage.FILLED)


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
    kind, line = ("refusals", _refusal_line) if refused else ("signals", _line)
    rows = list(islice(_newest(settings, kind, source=source, limit=limit), limit))
    session.emit({kind: rows}, [line(row) for row in rows] or ["none"])


def _newest(settings: Settings, kind: str, *, source: str | None, limit: int) -> Iterator[Entry]:
    """The newest entries, page by page: what was accepted together is on one page, and fills it alone."""
    before: int | None = None
    while True:
        page = call_api(settings, "GET", f"/{kind}", query={"source": source, "limit": limit, "before": before})
        yield from page.get(kind, [])
        before = page.get("next")
        if before is None:
            return


def _line(life: Entry) -> str:
    data = life.get("envelope", {}).get("data", {})
    what = data.get("action") or life.get("body", "")
    words = (life["accepted_at"], life["source"], f"{what:<6}", f"{life['instrument']:<16}", _outcome(life), life["id"])
    return "  ".join(map(str, words))


def _outcome(life: Entry) -> str:
    """What became of it: what is not as it should be first, then what each bot said last."""
    deliveries, receipts = life.get("deliveries", []), life.get("receipts", [])
    stations = [f"{one['destination']} {one['station']}" for one in deliveries if _tells(one) or not receipts]
    awaited = [f"awaits {bot}" for one in deliveries if one["station"] == "published" for bot in one["awaiting"]]
    return ", ".join([*stations, *awaited, *_said(receipts)])


def _tells(delivery: Entry) -> bool:
    return delivery["station"] not in {"published", "receipted"}


def _said(receipts: Iterable[Entry]) -> list[str]:
    """Each bot's last word, for each of its handlers; what went wrong first, and that orders were filled hides none."""
    last: dict[tuple[str, str | None], str] = {}
    for receipt in receipts:
        who = receipt["bot"], receipt.get("handler")
        if who not in last or not Stage(last[who]).final or (last[who], receipt["stage"]) == _DONE:
            last[who] = receipt["stage"]
    words = [f"{bot} {stage}" for (bot, _), stage in sorted(last.items(), key=lambda said: said[1] in _DONE)]
    return list(dict.fromkeys(words))


def _refusal_line(refusal: Entry) -> str:
    faults = refusal.get("errors") or [{}]
    first = f"{faults[0].get('where', '')}: {faults[0].get('problem', '')}".removeprefix(": ")
    cause = f". {faults[0]['cause']}" if faults[0].get("cause") else ""
    return f"{refusal.get('at')}  {refusal.get('source')}  {refusal.get('code')}  {first}{cause}  {refusal.get('id')}"
