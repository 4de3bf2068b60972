"""``clients``: the people and programs that use the private API, or the broker, in a role of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gateway.cli.broker_files import tell_broker
from gateway.cli.emqx_push import check_before
from gateway.cli.failure import Exit, Failure
from gateway.cli.session import Session, now_micros, session_command
from gateway.config.bots import read_bots
from gateway.config.clients import Client, Given, client_name_problem, put_client, read_clients, remove_client
from gateway.config.handout import Handout
from gateway.config.settings import Settings
from gateway.config.store import PRIVATE, locked, require_writable, write
from gateway.roles import Role
from schemas.fields import is_name

_ENV_FILE = click.option("--env-file", metavar="PATH", help="Write the lines into this file too, for its owner only.")


@click.group()
def command() -> None:
    """Who may use the private API, and in which role. Changes act at once in a running gateway."""


@command.command("add")
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.VIEWER.value,
    help="viewer, unless given, reads; operator also commands bots and withdraws signals; admin may do everything.",
)  # fmt: skip
@click.option("--bots", default="", help="The bots that it may command, with commas; all unless given.")
@click.option("--broker", is_flag=True, help="Give it a login at the broker too.")
@click.option("--legacy", is_flag=True, help="Let that login read replies as commlib-py and hummingbot-api want them.")
@_ENV_FILE
@session_command
def add(session: Session, name: str, role: str, *, bots: str, broker: bool, legacy: bool, env_file: str | None) -> None:
    """Give a client a key, and print it once."""
    settings, limits = session.settings(), tuple(filter(None, (bot.strip() for bot in bots.split(","))))
    _require(settings, name, role=Role(role), bots=limits, legacy=legacy, broker=broker)
    if env_file:
        require_writable(Path(env_file))
    with locked(session.folder.changes):
        if name in read_clients(session.folder.clients):
            words = f"there is a client {name}: signal-gateway clients rotate {name} gives it a new key"
            raise Failure(Exit.REFUSED, words)
        if name in read_bots(session.folder.bots):
            raise Failure(Exit.REFUSED, f"bot {name} has a login of this name: give the client another one")
        if broker:
            check_before(settings)
        given = put_client(
            session.folder.clients, name, role=Role(role), bots=limits, broker=broker, legacy=legacy, now=now_micros()
        )
        left = tell_broker(settings) if broker else []
    _hand_out(session, settings, read_clients(session.folder.clients)[name], given, left=left, env_file=env_file)


@command.command("rotate")
@click.argument("name")
@_ENV_FILE
@session_command
def rotate(session: Session, name: str, env_file: str | None) -> None:
    """Give a client a new key, and a new password where it has a login; the old ones end at once."""
    settings, path = session.settings(), session.folder.clients
    if env_file:
        require_writable(Path(env_file))
    with locked(session.folder.changes):
        client = read_clients(path).get(name)
        if client is None:
            raise _nobody(name)
        broker = client.password_hash is not None
        if broker:
            check_before(settings)
        given = put_client(
            path, name, role=client.role, bots=client.bots, broker=broker, legacy=client.legacy, now=now_micros()
        )
        left = tell_broker(settings) if broker else []
    _hand_out(session, settings, client, given, left=left, env_file=env_file)


@command.command("remove")
@click.argument("name")
@session_command
def remove(session: Session, name: str) -> None:
    """Take a client's key and login away, at once."""
    settings = session.settings()
    with locked(session.folder.changes):
        client = read_clients(session.folder.clients).get(name)
        if client is None:
            raise _nobody(name)
        broker = client.password_hash is not None
        if broker:
            check_before(settings)
        remove_client(session.folder.clients, name)
        left = tell_broker(settings) if broker else []
    session.emit({"removed": name}, [f"client {name} has no key any more", *left])


@command.command("list")
@session_command
def list_clients(session: Session) -> None:
    """Say which clients there are, without their secrets."""
    clients = [_row(client) for client in read_clients(session.folder.clients).values()]
    lines = [
        f"{row['name']:<24} {row['role']:<9} {'key and login' if row['broker'] else 'key':<14}"
        f" {', '.join(row['bots']) or 'all bots'}  since {row['created']}"
        for row in clients
    ]
    session.emit({"clients": clients}, lines or ["there is no client: signal-gateway clients add NAME"])


def _require(settings: Settings, name: str, *, role: Role, bots: tuple[str, ...], legacy: bool, broker: bool) -> None:
    problem = client_name_problem(name, gateway=settings.link.username or "")
    if problem:
        raise Failure(Exit.USAGE, f"a client's name {problem}")
    for bot in bots:
        if not is_name(bot):
            raise Failure(Exit.USAGE, f"--bots: {bot!r} is no bot's name: A-Z a-z 0-9 _ and -, with commas between")
    if bots and role is Role.ADMIN:
        raise Failure(Exit.USAGE, "--bots limits viewers and operators: an admin may do everything")
    if legacy and not broker:
        raise Failure(Exit.USAGE, "--legacy is for a login at the broker: give --broker too")


def _hand_out(
    session: Session, settings: Settings, client: Client, given: Given, *, left: list[str], env_file: str | None
) -> None:
    variables = _variables(settings, client, given)
    environment = "".join(f"{name}={value}\n" for name, value in variables.items())
    if env_file:
        write(Path(env_file), environment, mode=PRIVATE)
    document = {**_row(client), "token": given.token, "env": variables}
    lines = [
        f"client {client.name}, {client.role.value}; its secrets, shown this once, as environment:",
        "",
        *environment.splitlines(),
        "",
        f'for the API: curl -H "Authorization: Bearer $SIGNAL_GATEWAY_API_TOKEN" {settings.api_address}/api/v1/status',
        *left,
    ]
    session.emit(document, lines)


def _variables(settings: Settings, client: Client, given: Given) -> dict[str, str]:
    """The key, and the variables that BotClient reads where it has a login."""
    variables = {"SIGNAL_GATEWAY_API_TOKEN": given.token}
    if given.password is not None:
        login = Handout.of(settings, client.name, password=given.password).variables
        variables |= {"SIGNAL_GATEWAY_CLIENT": login.pop("SIGNAL_GATEWAY_BOT"), **login}
        variables |= {"SIGNAL_GATEWAY_BOTS": ",".join(client.bots)} if client.bots else {}
    return variables


def _row(client: Client) -> dict[str, Any]:
    return {
        "name": client.name,
        "role": client.role.value,
        "bots": list(client.bots),
        "broker": client.password_hash is not None,
        "legacy": client.legacy,
        "created": client.created,
    }


def _nobody(name: str) -> Failure:
    words = f"there is no client {name!r}: signal-gateway clients list names them"
    return Failure(Exit.REFUSED, words, code="not_found")
