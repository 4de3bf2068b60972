"""``try``: what would become of a body, and on which topics; changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from gateway import trial
from gateway.cli.body import read_body
from gateway.cli.failure import Exit, Failure
from gateway.cli.refusal import refusal_lines
from gateway.cli.session import Session, session_command, source_of
from gateway.errors import Refused
from gateway.intake import Format


@click.command()
@click.argument("source")
@click.argument("file", metavar="FILE|-")
@click.option(
    "--format",
    "format_",
    type=click.Choice([format_.value for format_ in Format]),
    default="auto",
    help="How the body is read; auto finds out.",
)
@session_command
def command(session: Session, source: str, file: str, format_: str) -> None:
    """Say what would become of a body, and on which topics. Nothing is stored or published; 1 where it is refused."""
    settings = session.settings()
    keys = source_of(settings, source).secret_keys
    body = read_body(file)
    try:
        published = trial.consider(settings, source, body, format_=Format(format_))
    except Refused as refused:
        raise refusal(refused, body, keys=keys) from None
    entries = [{"topic": topic, "payload": json.loads(payload)} for topic, payload in published]
    session.emit({"source": source, "would_publish": entries}, _lines(entries))


def refusal(refused: Refused, body: bytes, *, keys: Iterable[str]) -> Failure:
    """A refusal as a failure, with a caret under each place."""
    lines = refusal_lines(refused.code.title, refused.faults, body, keys=keys)
    facts = {"reason": refused.code.code, "faults": [asdict(fault) for fault in refused.faults]}
    return Failure(Exit.REFUSED, "\n".join(lines), **facts)


def _lines(entries: list[dict[str, Any]]) -> list[str]:
    lines = []
    for entry in entries:
        lines += ["would be published on", f"  {entry['topic']}"]
        lines += [f"    {line}" for line in json.dumps(entry["payload"], indent=2, ensure_ascii=False).splitlines()]
    return lines or ["nothing would be published"]
