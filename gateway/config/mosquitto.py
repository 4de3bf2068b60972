"""Logins and permissions as the files of a Mosquitto; what others wrote into them stays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.config.credentials import allowed, hashes, hashes_with_own
from gateway.config.passwords import matches
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
    _replace(Path(settings.mosquitto.password_file), password_lines(hashes_with_own(settings)))
    _replace(Path(settings.mosquitto.acl_file), acl_lines(allowed(settings)))
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
    return lines == acl_lines(allowed(settings))


def _knows_logins(lines: list[str], settings: Settings) -> bool:
    """Whether the lines have every hash; the gateway's own is another one each time that it is made."""
    written = dict(line.split(":", 1) for line in lines if ":" in line)
    own = written.pop(settings.link.username or "", None)
    password = settings.link.password
    try:
        right = own is None if password is None else own is not None and matches(password, own)
    except ValueError:
        return False
    return right and written == hashes(settings)


def password_lines(logins: dict[str, str]) -> list[str]:
    """The lines of a password file, from names and hashes."""
    return [f"{name}:{password_hash}" for name, password_hash in sorted(logins.items())]


def acl_lines(rules: dict[str, Permissions]) -> list[str]:
    """The lines of an ACL file, from names and permissions."""
    return [line for name, may in sorted(rules.items()) for line in (f"user {name}", *_topics(may))]


def _topics(may: Permissions) -> Iterator[str]:
    yield from (f"topic write {topic}" for topic in may.publish)
    yield from (f"topic read {topic}" for topic in may.subscribe)


def _replace(file: Path, lines: Iterable[str]) -> None:
    """Put our lines at the end: in an ACL file, a rule belongs to the user named last before it."""
    with locked(file):
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        theirs = before.partition(BEGIN)[0] + before.partition(END)[2].lstrip("\n")
        theirs = theirs if not theirs or theirs.endswith("\n") else theirs + "\n"
        write(file, theirs + "\n".join([BEGIN, *lines, END]) + "\n")
