"""``emqx``: the files of an external EMQX, and the logins in it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.emqx_push import push
from gateway.cli.failure import Exit, Failure
from gateway.cli.session import Session, session_command
from gateway.config.emqx_files import write_emqx_files
from gateway.config.settings import EmqxSettings, Settings
from gateway.config.store import locked


@click.group()
def command() -> None:
    """An external EMQX: the files that it is started with, and the logins in it."""


@command.command("files")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@session_command
def files(session: Session, folder: Path) -> None:
    """Write what EMQX is started with: the gateway's login, keys of the API, cookie, the dashboard's password.

    Credentials that are there stay. Everybody else's login is put there by push, when EMQX runs.
    """
    settings = session.settings()
    emqx = _configured(settings)
    with locked(session.folder.changes):
        written = write_emqx_files(settings, emqx, folder)
    session.emit({"files": [str(file) for file in written]}, [f"wrote {file}" for file in written])


@command.command("push")
@click.option("--all", "everybody", is_flag=True, help="Put everybody there, as after EMQX lost its data.")
@session_command
def push_logins(session: Session, *, everybody: bool) -> None:
    """Put into the running EMQX what it lacks of logins and permissions, as bots and clients do by themselves."""
    settings = session.settings()
    emqx = _configured(settings)
    with locked(session.folder.changes):
        done = push(settings, emqx, everybody=everybody)
    lines = [f"put {name}" for name in done.put] + [f"removed {name}" for name in done.remove]
    document = {"put": list(done.put), "removed": list(done.remove), "left": list(done.left)}
    session.emit(document, [*lines, *done.left] or ["EMQX has everything"])


def _configured(settings: Settings) -> EmqxSettings:
    if settings.emqx is None:
        problem = f"{settings.folder.config}: has no section emqx: with url and key_file: see docs/brokers.md"
        raise Failure(Exit.CONFIGURATION, problem)
    return settings.emqx
