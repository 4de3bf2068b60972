"""``backup``: all that is needed to come back, in one file, while the gateway runs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from gateway.backup import Made, back_up
from gateway.cli.failure import Exit, Failure
from gateway.cli.session import Session, now_micros, session_command
from gateway.errors import Misconfigured


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@session_command
def command(session: Session, file: Path) -> None:
    """Write configuration, secrets, logins and the journal into one new file. The gateway may run."""
    settings = session.settings()
    try:
        made = back_up(settings, file, version=version("signal-gateway"), now=now_micros())
    except Misconfigured as error:
        raise Failure(Exit.REFUSED, str(error), code="refused") from error
    copied = made.journal
    document = {
        "file": str(file),
        "bytes": made.bytes,
        "files": list(made.files),
        "signals": copied.signals if copied else 0,
        "journal_version": copied and copied.version,
        "left_out": [str(path) for path in made.left_out],
    }
    session.emit(document, _lines(made))


def _lines(made: Made) -> Iterator[str]:
    signals = f"{made.journal.signals} signals" if made.journal else "no journal yet"
    yield f"{made.file}: {signals} and {len(made.files)} files, {made.bytes} bytes"
    yield "It holds secrets: keep it where only you can read it."
    for path in made.left_out:
        yield f"not in it, as it is not in the data folder: {path}"
