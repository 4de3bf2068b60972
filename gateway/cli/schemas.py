"""``schemas``: the contract, for programs."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.session import Session, session_command
from gateway.web.contracts import documents, page, spelled
from schemas.topics import Topics


@click.group()
def command() -> None:
    """The contract as documents that other programs read."""


@command.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@session_command
def export(session: Session, folder: Path) -> None:
    """Write OpenAPI, AsyncAPI and JSON Schemas into a folder, and a page that shows them.

    The topics are those of the configuration, where there is one. No gateway need run.
    """
    topics = session.settings().topics if session.folder.config.exists() else Topics()
    made = documents(topics)
    files = {**{path: spelled(document) for path, document in made.items()}, "index.html": page(made)}
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    session.emit({"folder": str(folder), "files": sorted(files)}, [f"{len(files)} files in {folder}"])
