"""``bots``: who may log in at the broker, and how the bots are; ``bot_commands`` has what they are told."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path

import click

from gateway.cli.bot_commands import COMMANDS
from gateway.cli.bot_lines import bot_lines
from gateway.cli.bot_show import logs, show
from gateway.cli.broker_files import tell_broker
from gateway.cli.emqx_push import check_before
from gateway.cli.failure import Exit, Failure
from gateway.cli.forgetting import forget
from gateway.cli.http import call_api
from gateway.cli.session import Session, now_micros, session_command, source_of
from gateway.config.bots import name_problem, put_bot, read_bots, remove_bot
from gateway.config.clients import read_clients
from gateway.config.handout import Handout
from gateway.config.settings import Settings
from gateway.config.store import PRIVATE, locked, require_writable, write


@click.group()
def command() -> None:
    """The bots: their logins at the broker, and commands to them.

    Changes of logins act at once in a running gateway with the embedded broker.
    """


for one in COMMANDS:
    command.add_command(one)


command.add_command(show)
command.add_command(logs)


@command.command("add")
@click.argument("name")
@click.option("--sources", default="", help="The sources whose signals it may read, with commas; all unless given.")
@click.option("--env-file", metavar="PATH", help="Write the environment's lines into this file, for its owner only.")
@session_command
def add(session: Session, name: str, sources: str, env_file: str | None) -> None:
    """Give a bot a login, and print once what to put into the bot."""
    settings = session.settings()
    allowed = tuple(filter(None, (source.strip() for source in sources.split(","))))
    for source in allowed:
        source_of(settings, source)
    files = _env_files(env_file)
    problem = name_problem(name, gateway=settings.link.username or "")
    if problem:
        raise Failure(Exit.USAGE, f"a bot's name {problem}")
    with locked(session.folder.changes):
        if name in read_bots(session.folder.bots):
            raise Failure(Exit.REFUSED, f"bot {name} has a login: signal-gateway bots rotate {name} gives it a new one")
        if name in read_clients(session.folder.clients):
            raise Failure(Exit.REFUSED, f"there is a client {name}: give the bot another name")
        check_before(settings)
        handout, written = _change(settings, name, sources=allowed, files=files)
    _hand_out(session, handout, [*(f"wrote {file}" for file in files), *written])


@command.command("rotate")
@click.argument("name")
@click.option("--env-file", metavar="PATH", help="Write the environment's lines into this file, for its owner only.")
@session_command
def rotate(session: Session, name: str, env_file: str | None) -> None:
    """Give a bot a new password; the old one ends at once."""
    settings, files = session.settings(), _env_files(env_file)
    with locked(session.folder.changes):
        bot = read_bots(session.folder.bots).get(name)
        if bot is None:
            raise _nobody(name)
        check_before(settings)
        kept = session.folder.bot_env(name)
        files = [*([kept] if kept.exists() else []), *files]
        handout, written = _change(settings, name, sources=bot.sources, files=files)
    restart = f"if bot {name} runs, restart it with the new login: the old one is not valid any more"
    _hand_out(session, handout, [*(f"renewed {file}" for file in files), *written, restart])


@command.command("remove")
@click.argument("name")
@session_command
def remove(session: Session, name: str) -> None:
    """Take a bot's login away, at once, and let the running gateway expect it no more."""
    settings = session.settings()
    with locked(session.folder.changes):
        if name in read_bots(session.folder.bots):
            check_before(settings)
        removed = remove_bot(session.folder.bots, name)
        file = session.folder.bot_env(name)
        had_file = removed and file.exists()
        if had_file:
            file.unlink(missing_ok=True)
        written = tell_broker(settings) if removed else []
    forgotten = forget(settings, name)
    if not removed and not forgotten.known:
        raise _nobody(name)
    words = [f"bot {name} had no login"]
    if removed:
        words = [f"bot {name} has no login any more: if it runs, {_loses(settings)}"]
        words += [f"removed {file}"] if had_file else []
    document = {"removed": name, "forgotten": forgotten.done, "left": list(forgotten.left)}
    session.emit(document, [*words, *forgotten.lines, *written])


@command.command("list")
@session_command
def list_bots(session: Session) -> None:
    """Say which bots there are, and how they are; without a running gateway, which have a login."""
    logins = read_bots(session.folder.bots)
    try:
        states = call_api(session.settings(), "GET", "/bots")["bots"]
    except Failure as failure:
        if failure.exit_code is not Exit.UNREACHABLE:
            raise
        states = [{"name": bot.name, "login": True, "sources": list(bot.sources)} for bot in logins.values()]
        session.warn([f"these are the logins alone: {failure}"])
    created = {name: bot.created for name, bot in logins.items()}
    document = sorted(({**state, "created": created.get(state["name"])} for state in states), key=itemgetter("name"))
    lines = [line for state in document for line in bot_lines(state)]
    session.emit({"bots": document}, lines or ["no bot has a login: signal-gateway bots add NAME"])


def _env_files(env_file: str | None) -> list[Path]:
    """The file that was asked for; it can be written."""
    files = [Path(env_file)] if env_file else []
    for file in files:
        require_writable(file)
    return files


def _change(
    settings: Settings, name: str, *, sources: tuple[str, ...], files: Iterable[Path]
) -> tuple[Handout, list[str]]:
    password = put_bot(settings.folder.bots, name, sources=sources, now=now_micros())
    handout = Handout.of(settings, name, password=password, sources=sources)
    for file in files:
        write(file, handout.environment, mode=PRIVATE)
    return handout, tell_broker(settings)


def _hand_out(session: Session, handout: Handout, written: list[str]) -> None:
    document = {"bot": handout.bot, "sources": list(handout.sources), "env": handout.variables}
    document |= {"mqtt_bridge": handout.bridge, "python": handout.python}
    session.emit(document, [*_lines(handout), *written])


def _lines(handout: Handout) -> list[str]:
    return [
        f"the login of bot {handout.bot}, shown this once; for Hummingbot, in conf/conf_client.yml, in place of",
        "the instance_id and the mqtt_bridge that stand there:",
        "",
        *handout.bridge.splitlines(),
        "",
        "as environment, for SignalListener.from_env():",
        "",
        *handout.environment.splitlines(),
        "",
        "in Python:",
        "",
        handout.python,
    ]


def _loses(settings: Settings) -> str:
    if settings.embedded or settings.emqx:
        return "it loses its connection"
    return "its connection ends when the broker is reloaded or restarted, or later"


def _nobody(name: str) -> Failure:
    return Failure(Exit.REFUSED, f"there is no bot {name!r}: signal-gateway bots list names them", code="not_found")
