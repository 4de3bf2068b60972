"""``check``: every error of the configuration at once, with its line."""

from __future__ import annotations

from dataclasses import asdict

import click

from gateway.cli.failure import Exit
from gateway.cli.session import Session, session_command
from gateway.config.errors import ConfigError
from gateway.config.summary import summary, warnings


@click.command()
@session_command
@click.pass_context
def command(context: click.Context, session: Session) -> None:
    """Check the configuration: every error with its file and line, and what is probably not meant."""
    try:
        settings = session.settings(thorough=True)
    except ConfigError as error:
        problems = [asdict(problem) for problem in error.problems]
        session.emit({"ok": False, "problems": problems, "warnings": []}, str(error).splitlines())
        context.exit(Exit.REFUSED)
    warned = warnings(settings, session.environ)
    lines = [*summary(settings), *(f"warning: {warning}" for warning in warned), "the configuration is right"]
    session.emit({"ok": True, "problems": [], "warnings": warned, "summary": summary(settings)}, lines)
