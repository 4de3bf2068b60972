"""``doctor``: examines the broker, and says what to mend and where."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.failure import Exit, Failure
from gateway.cli.http import call_api
from gateway.cli.session import Session, session_command
from gateway.config.bots import read_bots
from gateway.config.initialise import DEMO
from gateway.config.settings import Settings
from gateway.config.store import read_secret
from gateway.doctor import (
    BotLogin,
    Kind,
    Patient,
    Report,
    Verdict,
    examine,
    judge_clocks,
    judge_house,
    judge_store,
    report,
    see_house,
)

_STOPPED = "STOPPED"
_WIDTH = 13
_PASSWORD = "SIGNAL_GATEWAY_MQTT_PASSWORD"  # noqa: S105  the name of a variable


@click.command()
@click.option("--bot", metavar="NAME", help=f"Whose login tries what a bot may do; {DEMO} unless given.")
@click.option("--password-file", metavar="FILE", help="The bot's password; else data/bots/NAME.env has it.")
@click.option("--mosquitto-conf", metavar="FILE", help="Mosquitto's configuration, to see what it keeps.")
@session_command
@click.pass_context
def command(
    context: click.Context, session: Session, bot: str | None, password_file: str | None, mosquitto_conf: str | None
) -> None:
    """Examine the broker by connecting to it: what can lose money first, each with its cure.

    Nothing changes there, and no bot notices. Exit codes: 0 all well; 1 findings; 3 it could not be examined.
    """
    settings = session.settings()
    login = bot_login(settings, bot, password_file)
    found = asyncio.run(examine(_patient(settings, login)))
    house = see_house(settings)
    verdicts = [
        *found.verdicts,
        *judge_store(settings.link, _kind(settings), Path(mosquitto_conf) if mosquitto_conf else None),
        *judge_house(house, settings.http),
        *judge_clocks(synchronised=house.synchronised, bots=_bots(settings)),
    ]
    whole = report(verdicts, away=found.away)
    session.emit(_document(whole), _lines(whole))
    context.exit(_exit_code(whole))


def bot_login(settings: Settings, name: str | None, password_file: str | None) -> BotLogin | None:
    """The login of a bot; None where none was asked for and there is none of bot demo.

    Raises:
        Failure: it cannot be read.
    """
    bot = name or DEMO
    file = Path(password_file) if password_file else settings.folder.bot_env(bot)
    password = read_secret(file) if password_file else _from_env(file)
    if password is None:
        if name is None and password_file is None:
            return None
        hint = "give a file with the password alone as --password-file"
        raise Failure(Exit.CONFIGURATION, f"{file}: has no password of bot {bot}: {hint}")
    known = read_bots(settings.folder.bots).get(bot)
    return BotLogin(bot, password, known.sources if known else ())


def _from_env(file: Path) -> str | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return dict(line.split("=", 1) for line in lines if "=" in line).get(_PASSWORD)


def _patient(settings: Settings, bot: BotLogin | None) -> Patient:
    return Patient(
        link=settings.link,
        topics=settings.topics,
        kind=_kind(settings),
        bot=bot,
        run=secrets.token_hex(4),
        now=time.time(),
    )


def _kind(settings: Settings) -> Kind:
    if settings.embedded is not None:
        return Kind.EMBEDDED
    if settings.emqx is not None:
        return Kind.EMQX
    return Kind.OTHER if settings.mosquitto is None else Kind.MOSQUITTO


def _bots(settings: Settings) -> list[Mapping[str, Any]] | None:
    """How the bots are, where the gateway runs."""
    try:
        return list(call_api(settings, "GET", "/bots")["bots"])
    except Failure:
        return None


def _exit_code(found: Report) -> int:
    if found.away:
        return Exit.UNREACHABLE
    return Exit.REFUSED if found.findings else Exit.OK


def _lines(found: Report) -> Iterator[str]:
    if found.away:
        yield f"{_STOPPED:<{_WIDTH}} {found.away}"
    for verdict in found.verdicts:
        yield f"{verdict.grade.word:<{_WIDTH}} {verdict.says} [{verdict.code}]"
        if verdict.cure:
            yield f"{'':<{_WIDTH}}   cure: {verdict.cure}"
    count = len(found.findings)
    if count:
        yield f"{count} to mend"
    elif not found.away:
        yield "nothing to mend"


def _document(found: Report) -> dict[str, Any]:
    return {
        "examined": not found.away,
        "away": found.away,
        "findings": [_entry(verdict) for verdict in found.findings],
        "others": [_entry(verdict) for verdict in found.verdicts if not verdict.grade.wrong],
    }


def _entry(verdict: Verdict) -> dict[str, str]:
    return {
        "grade": verdict.grade.name.lower(),
        "code": verdict.code,
        "says": verdict.says,
        "cure": verdict.cure,
    }
