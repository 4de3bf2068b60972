"""``broker-acl``: what everybody who has a login may do at the broker, in the words of each broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

import click

from gateway.cli.session import Session, session_command
from gateway.config.credentials import allowed
from gateway.config.emqx import acl_text
from gateway.config.mosquitto import acl_lines
from gateway.mqtt.permissions import Permissions


def _plain(everybody: Mapping[str, Permissions]) -> list[str]:
    """The embedded broker has no file: the filters themselves."""
    return [
        line
        for name, may in sorted(everybody.items())
        for line in (
            name,
            *(f"  publish {topic}" for topic in may.publish),
            *(f"  subscribe {topic}" for topic in may.subscribe),
        )
    ]


_LINES: Mapping[str, Callable[[dict[str, Permissions]], list[str]]] = {
    "emqx": lambda everybody: acl_text(everybody).splitlines(),
    "mosquitto": acl_lines,
    "embedded": _plain,
}


@click.command()
@click.option("--for", "broker", type=click.Choice(list(_LINES)), required=True, help="Whose words.")
@session_command
def command(session: Session, broker: str) -> None:
    """Print the permissions of everybody who has a login: EMQX's acl.conf, Mosquitto's acl_file, or plain.

    Nothing is changed anywhere.
    """
    everybody = allowed(session.settings())
    session.emit({name: asdict(may) for name, may in sorted(everybody.items())}, _LINES[broker](everybody))
