"""Logins and permissions as the files of a Mosquitto; what others wrote into them stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.config.bots import read_bots
from gateway.config.clients import read_clients
from gateway.config.passwords import hashed, matches
from gateway.config.permissions import client_permissions, gateway_permissions, permissions
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
    logins = _logins(settings)
    if settings.link.username and settings.link.password:
        logins[settings.link.username] = hashed(settings.link.password)
    _replace(Path(settings.mosquitto.password_file), password_lines(logins))
    _replace(Path(settings.mosquitto.acl_file), acl_lines(_rules(settings)))
    return True


def outdated(settings: Settings) -> Iterator[str]:
    """A warning for each file that lacks what this version, or the logins as they are, would have in it."""
    if settings.mosquitto is None:
        return
    remedy = "run signal-gateway init, then let Mosquitto read it: systemctl reload mosquitto"
    files = settings.mosquitto
    for file, right in ((files.password_file, _knows_logins), (files.acl_file, _knows_rules)):
        try:
            written = Path(file).read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].split("\n")[1:-1]
        except (OSError, UnicodeDecodeError) as error:
            yield f"{file}: cannot be read ({error}): {remedy}"
        else:
            if not right(written, settings):
                yield f"{file}: is older than this version, or than the logins: {remedy}"


def _knows_rules(lines: list[str], settings: Settings) -> bool:
    return lines == acl_lines(_rules(settings))


def _knows_logins(lines: list[str], settings: Settings) -> bool:
    """Whether the lines have every hash; the gateway's own is another one each time that it is made."""
    written = dict(line.split(":", 1) for line in lines if ":" in line)
    own = written.pop(settings.link.username or "", None)
    password = settings.link.password
    try:
        right = own is None if password is None else own is not None and matches(password, own)
    except ValueError:
        return False
    return right and written == _logins(settings)


def _logins(settings: Settings) -> dict[str, str]:
    """The hashes of bots and clients by name."""
    logins = {name: bot.password_hash for name, bot in read_bots(settings.folder.bots).items()}
    clients = read_clients(settings.folder.clients).items()
    return logins | {name: client.password_hash for name, client in clients if client.password_hash}


def _rules(settings: Settings) -> dict[str, Permissions]:
    """The permissions of everybody who has a login, by name."""
    topics, link = settings.topics, settings.link
    bots, clients = read_bots(settings.folder.bots).values(), read_clients(settings.folder.clients).values()
    rules = {bot.name: permissions(bot.name, bot.sources, topics) for bot in bots}
    rules |= {client.name: client_permissions(client, topics) for client in clients if client.password_hash}
    return rules | ({link.username: gateway_permissions(topics)} if link.username and link.password else {})


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
