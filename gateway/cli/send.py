"""``send``: posts a body to the running gateway as TradingView would, or a program."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import click

from gateway.cli.body import read_body
from gateway.cli.failure import Exit, Failure
from gateway.cli.http import Answer, call_api, request
from gateway.cli.refusal import refusal_lines
from gateway.cli.session import Session, session_command, source_of
from gateway.config.webhook import post_path
from schemas.errors import Fault

_AGENT = "Go-http-client/1.1"


@click.command()
@click.argument("source")
@click.argument("file", metavar="FILE|-")
@session_command
def command(session: Session, source: str, file: str) -> None:
    """Post a body to a source as TradingView would, or a program where it takes predictions; its token works once."""
    settings = session.settings()
    found = source_of(settings, source)
    body = read_body(file)
    token = call_api(settings, "POST", f"/sources/{source}/tokens").get("token", "")
    path, headers = f"/hooks/{source}/{token}", {"Content-Type": content_type(body), "User-Agent": _AGENT}
    if found.predictions is not None:
        path, headers = post_path(found), {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    answer = request(settings.http.public, "POST", path, headers=headers, body=body)
    if not answer.good:
        raise _refused(answer, body)
    session.emit({"status": answer.status, "signals": _entries(answer)}, _lines(answer))


def content_type(body: bytes) -> str:
    """TradingView's rule: valid JSON is application/json, everything else text/plain."""
    try:
        json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return "text/plain; charset=utf-8"
    return "application/json; charset=utf-8"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _entries(answer: Answer) -> list[Any]:
    return answer.content if isinstance(answer.content, list) else [answer.document]


def _lines(answer: Answer) -> list[str]:
    return [f"{answer.status} {entry.get('status')} {entry.get('id')}" for entry in _entries(answer)]


def _refused(answer: Answer, body: bytes) -> Failure:
    document = answer.document
    title = f"{answer.status} {document.get('title', 'refused')}"
    faults = [_fault(entry) for entry in document.get("errors", []) if isinstance(entry, dict)]
    lines = list(refusal_lines(title, faults, body)) if faults else [title, f"  {document.get('detail', '')}"]
    return Failure(Exit.REFUSED, "\n".join(lines), status=answer.status, problem=document)


def _fault(entry: dict[str, Any]) -> Fault:
    known = {name: entry.get(name) for name in ("found", "line", "column")}
    return Fault(where=entry.get("where", ""), problem=entry.get("problem", ""), cause=entry.get("cause", ""), **known)
