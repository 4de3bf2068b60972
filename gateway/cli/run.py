"""``run``: the gateway."""

from __future__ import annotations

import asyncio

import click

from gateway import app
from gateway.cli.ports import require_free_ports
from gateway.cli.session import Session, session_command
from gateway.config.settings import Address, Settings
from gateway.config.summary import warnings

try:
    from uvloop import run as run_loop
except ImportError:
    run_loop = asyncio.run


@click.command()
@session_command
def command(session: Session) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    settings = session.settings()
    require_free_ports(settings)
    session.warn(f"warning: {warning}" for warning in warnings(settings, session.environ) if "public_url" not in warning)
    session.emit(_addresses(settings), _lines(settings))
    run_loop(app.run(settings))


def _addresses(settings: Settings) -> dict[str, str | None]:
    return {
        "webhooks": settings.public_address,
        "api": settings.api_address,
        "broker": str(Address(settings.link.host, settings.link.port)),
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
