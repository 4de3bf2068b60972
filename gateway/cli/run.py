"""``run``: the gateway."""

from __future__ import annotations

import signal
import sys
from collections.abc import Coroutine, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import click

from gateway import app
from gateway.backup import back_up_before_upgrade, require_whole
from gateway.cli.failure import Exit
from gateway.cli.ports import require_free_ports
from gateway.cli.session import Session, now_micros, session_command
from gateway.cli.systemd import tell
from gateway.config.initialise import initialise
from gateway.config.settings import Settings
from gateway.config.summary import warnings
from gateway.errors import Misconfigured


@click.command()
@click.option("--init", "makes", is_flag=True, help="Make what is missing first, as init does, but no webhook's token.")
@session_command
def command(session: Session, *, makes: bool) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    signal.signal(signal.SIGTERM, _end)
    require_whole(session.folder)
    if makes:
        made = initialise(session.folder, session.environ, now=now_micros(), tokens=False)
        session.warn(f"made {file}" for file in made.files)
    settings = session.settings(thorough=True)
    require_free_ports(settings)
    if backup := back_up_before_upgrade(settings, version=version("signal-gateway"), now=now_micros()):
        session.warn([f"the journal is brought to a newer version; the way back is in {backup}"])
    session.warn(
        f"warning: {warning}" for warning in warnings(settings, session.environ) if "is not set" not in warning
    )
    _run(
        app.run(
            settings,
            ready=partial(_ready, session, settings),
            stopped=lambda waiting: session.warn([farewell(waiting)]),
        )
    )


def _ready(session: Session, settings: Settings) -> None:
    session.emit(_addresses(settings), _lines(settings))
    tell(session.environ, "READY=1")


def farewell(waiting: int) -> str:
    """What a person is told at the end, by how many signals still wait to be published."""
    if not waiting:
        return "stopped: everything that waited is published"
    wait = "1 signal waits" if waiting == 1 else f"{waiting} signals wait"
    return f"stopped: {wait} to be published, and will be at the next start, unless expired by then"


def _end(*_: object) -> None:
    """End while the gateway starts: the first process of a container gets no default action for SIGTERM."""
    sys.exit(Exit.OK)


def _run(gateway: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed; what ends the gateway for the operator to mend is raised alone."""
    loop = import_module("uvloop" if find_spec("uvloop") else "asyncio")
    try:
        loop.run(gateway)
    except* Misconfigured as group:
        raise next(_leaves(group)) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _addresses(settings: Settings) -> dict[str, str | None]:
    return {
        "webhooks": settings.public_address,
        "api": settings.api_address,
        "broker": settings.broker_address,
        "public_url": settings.public_url,
    }


def _lines(settings: Settings) -> list[str]:
    addresses = _addresses(settings)
    lines = [
        f"webhooks  {addresses['webhooks']}/hooks/SOURCE/TOKEN",
        f"API       {addresses['api']}/api/v1, token in {settings.folder.api_token}",
        f"broker    {addresses['broker']}, {'embedded' if settings.embedded else 'external'}",
    ]
    if settings.public_url is None:
        lines += [
            "TradingView cannot reach this address: public_url is not set.",
            f"Next step: docs/expose.md, then public_url in {settings.folder.config}.",
        ]
    return lines
