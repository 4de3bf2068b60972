"""``withdraw``: stops a signal that was accepted and not started."""

from __future__ import annotations

from urllib.parse import quote

import click

from gateway.cli.http import call_api
from gateway.cli.session import Session, session_command


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--reason", default="the operator withdrew it", help="Why; the bot's receipt repeats it.")
@session_command
def command(session: Session, id_: str, reason: str) -> None:
    """Stop a signal: nobody gets it any more, or every bot that has not started it leaves it be."""
    path = f"/signals/{quote(id_, safe='')}/withdraw"
    document = call_api(session.settings(), "POST", path, document={"reason": reason})
    session.emit(document, [_line(document.get("withdrawal"), id_)])


def _line(withdrawal: str | None, id_: str) -> str:
    if withdrawal is None:
        return f"withdrawn: no bot gets {id_} any more"
    return f"sent: bots that have not started {id_} will not; see what they answer with signal-gateway signals {id_}"
