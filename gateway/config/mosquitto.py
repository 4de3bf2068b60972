"""Logins and permissions as the files of a Mosquitto; what others wrote into them stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.config.bots import read_bots
from gateway.config.passwords import hashed
from gateway.config.permissions import gateway_permissions, permissions
from gateway.config.settings import Settings
from gateway.config.store import locked, write
from gateway.mqtt.permissions import Permissions

BEGIN = "# signal-gateway begin: bots add, rotate and remove write what follows"
END = "# signal-gateway end"


def write_mosquitto(settings: Settings) -> bool:
    """Write both files where the settings name them; say whether they do. Mosquitto reads them again on SIGHUP.

    Call it with ``folder.changes`` locked, as whoever changes the logins does: the last to write has read them all.
    """
    if settings.mosquitto is None:
        return False
    bots = read_bots(settings.folder.bots).values()
    logins = {bot.name: bot.password_hash for bot in bots}
    rules = {bot.name: permissions(bot.name, bot.sources, settings.topics) for bot in bots}
    if settings.link.username and settings.link.password:
        logins[settings.link.username] = hashed(settings.link.password)
        rules[settings.link.username] = gateway_permissions(settings.topics)
    _replace(Path(settings.mosquitto.password_file), password_lines(logins))
    _replace(Path(settings.mosquitto.acl_file), acl_lines(rules))
    return True


def password_lines(logins: dict[str, str]) -> list[str]:
    """The lines of a password file, from names and hashes."""
    return [f"{name}:{password_hash}" for name, password_hash in sorted(logins.items())]


def acl_lines(rules: dict[str, Permissions]) -> list[str]:
    """The lines of an ACL file, from names and permissions."""
    return [line for name, allowed in sorted(rules.items()) for line in (f"user {name}", *_topics(allowed))]


def _topics(allowed: Permissions) -> Iterator[str]:
    yield from (f"topic write {topic}" for topic in allowed.publish)
    yield from (f"topic read {topic}" for topic in allowed.subscribe)


def _replace(file: Path, lines: Iterable[str]) -> None:
    """Put our lines at the end: in an ACL file, a rule belongs to the user named last before it."""
    with locked(file):
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        theirs = before.partition(BEGIN)[0] + before.partition(END)[2].lstrip("\n")
        theirs = theirs if not theirs or theirs.endswith("\n") else theirs + "\n"
        write(file, theirs + "\n".join([BEGIN, *lines, END]) + "\n")
