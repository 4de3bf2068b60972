"""Makes what a gateway needs and does not have yet; what is there stays."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.config.bots import put_bot, read_bots
from gateway.config.folder import Folder
from gateway.config.handout import Handout
from gateway.config.keyring import new_token, read_keys, rotate
from gateway.config.load import load
from gateway.config.mosquitto import outdated, write_mosquitto
from gateway.config.settings import Settings
from gateway.config.store import PRIVATE, PRIVATE_FOLDER, locked, write
from gateway.config.template import TEMPLATE
from gateway.errors import Misconfigured

DEMO = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was missing.

    Args:
        settings: as they are now.
        files: the files that were made.
        tokens: new webhook tokens by source, which nobody can read again.
        rewritten: whether Mosquitto has something new to read.
    """

    settings: Settings
    files: tuple[str, ...]
    tokens: Mapping[str, str] = field(repr=False)
    rewritten: bool


def initialise(folder: Folder, environ: Mapping[str, str], *, now: int, tokens: bool = True) -> Made:
    """Make the configuration, the secrets, a token for each source without one, and bot ``demo``.

    Args:
        folder: the data folder.
        environ: the environment.
        now: microseconds since the epoch.
        tokens: whether tokens are made; a token that nobody is shown is no use.

    Raises:
        ConfigError: the configuration that is there is wrong.
        Misconfigured: the folder is another user's.
    """
    try:
        for path in (folder.root, folder.secrets, folder.root / "journal", folder.root / "bots"):
            path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    except PermissionError:
        user = os.geteuid()
        raise Misconfigured(f"{path}: user {user} may not make it: chown -R {user} {folder.root}") from None
    with locked(folder.changes):
        files = _files(folder)
        settings = load(folder, environ)
        lacking = [source for source in settings.sources if tokens and not read_keys(folder.keys).get(source)]
        made = {source: rotate(folder.keys, source, now=now) for source in lacking}
        files += _demo(settings, now)
        rewritten = any(outdated(settings))
        write_mosquitto(settings)
    return Made(settings=settings, files=tuple(files), tokens=made, rewritten=rewritten)


def _files(folder: Folder) -> list[str]:
    contents = {
        folder.config: (TEMPLATE, 0o644),
        folder.broker_password: (new_token() + "\n", PRIVATE),
        folder.api_token: (new_token() + "\n", PRIVATE),
    }
    made = [path for path in contents if not path.exists()]
    for path in made:
        text, mode = contents[path]
        write(path, text, mode=mode)
    return [str(path) for path in made]


def _demo(settings: Settings, now: int) -> list[str]:
    """The demo bot's login, where this gateway makes the broker's logins."""
    file = settings.folder.bot_env(DEMO)
    if settings.embedded is None and settings.mosquitto is None and settings.emqx is None:
        return []
    if file.exists() and DEMO in read_bots(settings.folder.bots):
        return []
    password = put_bot(settings.folder.bots, DEMO, sources=(), now=now)
    write(file, Handout.of(settings, DEMO, password=password).environment, mode=PRIVATE)
    return [str(file)]
