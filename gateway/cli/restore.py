"""``restore``: puts a backup back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from gateway.backup import Restored, restore
from gateway.cli.failure import Exit, Failure
from gateway.cli.session import Session, now_micros, session_command
from gateway.errors import Misconfigured
from schemas.fields import from_micros, instant_text


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Move aside what is there.")
@session_command
def command(session: Session, file: Path, *, force: bool) -> None:
    """Put a backup into the data folder, while no gateway runs there.

    Of what was not settled in it, exits go on, unless expired; all else ends as unknown.
    """
    try:
        done = restore(file, session.folder, session.environ, force=force, now=now_micros())
    except Misconfigured as error:
        raise Failure(Exit.REFUSED, str(error), code="refused") from error
    document = {
        "made_at": instant_text(from_micros(done.head.made_at)),
        "gateway": done.head.gateway,
        "journal": str(done.journal_at),
        "signals": done.journal.signals if done.journal else 0,
        "going_on": done.adopted.going_on if done.adopted else 0,
        "ended": done.adopted.ended if done.adopted else 0,
        "replaced": done.replaced and str(done.replaced),
    }
    session.emit(document, _lines(done))


def _lines(done: Restored) -> Iterator[str]:
    yield f"restored what was there at {instant_text(from_micros(done.head.made_at))}"
    if done.journal and done.adopted:
        yield f"journal: {done.journal.signals} signals, in {done.journal_at}"
        yield f"not settled then: {done.adopted.going_on} go on unless expired, {done.adopted.ended} end as unknown"
    if done.replaced:
        yield f"what was there before is in {done.replaced}"
    yield "Tokens and logins are those of then: what was revoked since works again, and what was made since does not."
    yield "Next: signal-gateway check, then signal-gateway run."
