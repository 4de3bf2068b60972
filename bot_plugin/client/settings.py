"""What a client is: how it reaches the broker, what it is called, and how long it waits for an answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot_plugin.broker_settings import (
    BROKER_READERS,
    BROKER_VARIABLES,
    BrokerSettings,
    Reader,
    make,
    read_spelled,
    spelled_in,
    words,
)
from bot_plugin.errors import SettingsError
from schemas.fields import is_name
from schemas.signature import KEY_SHAPE, CommandKey, read_key

VARIABLES = {"CLIENT": "name", "BOTS": "bots", "COMMAND_KEY": "command_key", **BROKER_VARIABLES}
"""Variables without their prefix, and the settings that they are."""

_READERS: Mapping[str, Reader] = {
    **BROKER_READERS,
    "bots": (words, "names, joined by commas"),
    "command_key": (read_key, KEY_SHAPE),
}
_MOST_NAME = 64
"""Characters of a name: a broker's client id has it, the root, and what makes it unique."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings(BrokerSettings):
    """A client's settings, besides how the broker is reached.

    Args:
        name: the client's name in its reply topics and in what bots log of it; the user name where that can be a name,
            else random. Two processes may share one.
        bots: the bots to command and to listen to, for a login that is limited to some; empty for all.
        command_key: signs every command; for bots that run signed ones only.
        timeout: seconds that a command waits for its answer; a stock Hummingbot takes up to 30.
        connect_within: seconds that entering waits for the broker; the client goes on connecting after that.
        watch_only: whether it sends no commands, and so needs no permission to read replies.
    """

    name: str = ""
    bots: tuple[str, ...] = ()
    command_key: CommandKey | None = field(default=None, repr=False)
    timeout: float = 35.0
    connect_within: float = 10.0
    watch_only: bool = False

    def __post_init__(self) -> None:
        """Choose a name where none was given, and refuse what cannot work.

        Raises:
            SettingsError: with every problem.
        """
        if not self.name:
            object.__setattr__(self, "name", _name_of(self.username))
        problems = list(self.broker_problems())
        if not is_name(self.name) or len(self.name) > _MOST_NAME:
            problems.append(f"name has 1 to {_MOST_NAME} of A-Z a-z 0-9 _ and -; it is {self.name[:80]!r}")
        problems += [f"bots are names, which {bot[:80]!r} is not" for bot in self.bots if not is_name(bot)]
        if not self.timeout > 0:
            problems.append(f"timeout is seconds, more than 0, not {self.timeout}")
        if problems:
            raise SettingsError(problems)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, env_file: str | Path | None = None
    ) -> ClientSettings:
        """Read ``SIGNAL_GATEWAY_*``; variables of the environment win over those of the file.

        Args:
            environ: the environment; the process's own where None.
            env_file: a file of ``KEY=VALUE`` lines; ``SIGNAL_GATEWAY_ENV_FILE`` names one too.

        Raises:
            SettingsError: with every problem.
        """
        given, origin = spelled_in(VARIABLES, environ=environ, env_file=env_file)
        values, problems = read_spelled(given, _READERS)
        return make(cls, values, problems, origin=origin)


def _name_of(username: str | None) -> str:
    if username is not None and is_name(username) and len(username) <= _MOST_NAME:
        return username
    return f"client-{secrets.token_hex(8)}"
