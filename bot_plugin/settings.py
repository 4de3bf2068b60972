"""How the plugin reaches the broker and what it may run: from the environment, from Hummingbot's file, or in code."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot_plugin.command_keys import SHAPE, KeyRefused, command_keys, split_keys
from bot_plugin.errors import SettingsError
from bot_plugin.settings_files import read_conf_client, read_env_file
from bot_plugin.transport import V5, V311
from schemas.fields import is_name
from schemas.signature import CommandKey
from schemas.topics import Mode, TopicError, Topics

PREFIX = "SIGNAL_GATEWAY_"
RESERVED_BOT = "predictions"

_VERSIONS = {"auto": (V5, V311), "5": (V5,), "3.1.1": (V311,)}
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings:
    """The plugin's settings.

    Args:
        bot: the bot's name; one process at a time has it.
        tls: whether to speak TLS; the certificate is checked.
        ca: a file with the certificate authorities to trust; None for the system's.
        root: the prefix of the signal topics.
        namespace: the prefix of the bots' own topics.
        mqtt_version: ``auto`` (MQTT 5, else 3.1.1), ``5`` or ``3.1.1``.
        modes: the modes that this bot runs; it refuses the others.
        state_dir: a folder of this bot's own, for what must survive a restart; ``./data/signal-gateway/<bot>`` where
            None.
        sources: the sources that ``*`` stands for; empty for every source of the gateway.
        threads: plain functions that may run at once.
        backlog: signals of one key that may wait; further ones are refused.
        grace: seconds that running handlers get to end when the listener is stopped.
        allowed_commands: the remote commands that this bot runs, such as ``status`` or ``command/rebalance``; None for
            all that it has.
        command_keys: secrets by name, of 32 bytes or more, as bytes or in base64url; with any, only commands that one
            of them signed are run.
        command_keys_file: a file with further ones, ``NAME:SECRET`` in base64url a line.
        legacy_replies: whether replies may go to the topics of commlib-py and hummingbot-api.
    """

    bot: str
    host: str = "localhost"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None
    root: str = "signals"
    namespace: str = "hbot"
    mqtt_version: str = "auto"
    modes: tuple[Mode, ...] = (Mode.LIVE,)
    state_dir: str | None = None
    sources: tuple[str, ...] = ()
    threads: int = 32
    backlog: int = 20_000
    grace: float = 10.0
    allowed_commands: tuple[str, ...] | None = None
    command_keys: Mapping[str, str | bytes] = field(default_factory=dict, repr=False)
    command_keys_file: str | None = None
    legacy_replies: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            SettingsError: with every problem.
        """
        problems = list(_problems(self))
        if problems:
            raise SettingsError(problems)
        object.__setattr__(self, "modes", tuple(Mode(mode) for mode in self.modes))

    @property
    def topics(self) -> Topics:
        """The topic tree."""
        return Topics(root=self.root, namespace=self.namespace)

    @property
    def keys(self) -> Mapping[str, CommandKey]:
        """The command keys by name; where there are any, unsigned commands are refused."""
        return command_keys(self.command_keys, self.command_keys_file)

    @property
    def state_folder(self) -> Path:
        """Where the bot keeps what must survive a restart."""
        return Path("data", "signal-gateway", self.bot) if self.state_dir is None else Path(self.state_dir)

    @property
    def versions(self) -> tuple[int, ...]:
        """The MQTT protocol levels to try, in order."""
        return _VERSIONS[self.mqtt_version]

    def tls_context(self) -> ssl.SSLContext | None:
        """A context that checks the broker's certificate; None without TLS.

        Raises:
            SettingsError: the file of authorities cannot be read.
        """
        if not self.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise SettingsError([f"ca {self.ca!r} cannot be used: {error}"]) from None

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, env_file: str | Path | None = None
    ) -> PluginSettings:
        """Read ``SIGNAL_GATEWAY_*``; variables of the environment win over those of the file.

        Args:
            environ: the environment; the process's own where None.
            env_file: a file of ``KEY=VALUE`` lines; ``SIGNAL_GATEWAY_ENV_FILE`` names one too.

        Raises:
            SettingsError: with every problem.
        """
        environ = os.environ if environ is None else environ
        file = env_file or environ.get(f"{PREFIX}ENV_FILE")
        values = {**(read_env_file(Path(file)) if file else {}), **environ}
        return _build(
            {name: (f"{PREFIX}{key}", values.get(f"{PREFIX}{key}") or None) for key, name in _VARIABLES.items()},
            origin=f"the environment and {file}" if file else "the environment",
        )

    @classmethod
    def from_conf_client(cls, path: str | Path, **more: Any) -> PluginSettings:
        """Read ``mqtt_bridge:`` and ``instance_id`` of Hummingbot's ``conf_client.yml``; ``more`` wins over the file.

        Raises:
            SettingsError: with every problem; also where PyYAML is missing.
        """
        bridge, instance = read_conf_client(Path(path))
        given = {name: (f"mqtt_bridge.{key}", bridge.get(key)) for key, name in _BRIDGE.items()}
        given["bot"] = ("instance_id", instance)
        spelled = {name: (label, _text(value)) for name, (label, value) in given.items()}
        namespace = spelled["namespace"][1]
        if namespace and namespace[-1] in "/.":
            spelled["namespace"] = (spelled["namespace"][0], namespace[:-1])
        for name in more:
            spelled.pop(name, None)
        return _build(spelled, origin=str(path), more=more)


_VARIABLES = {
    "BOT": "bot",
    "MQTT_HOST": "host",
    "MQTT_PORT": "port",
    "MQTT_USERNAME": "username",
    "MQTT_PASSWORD": "password",
    "MQTT_TLS": "tls",
    "MQTT_CA": "ca",
    "MQTT_VERSION": "mqtt_version",
    "ROOT": "root",
    "NAMESPACE": "namespace",
    "MODES": "modes",
    "STATE_DIR": "state_dir",
    "SOURCES": "sources",
    "ALLOWED_COMMANDS": "allowed_commands",
    "COMMAND_KEYS": "command_keys",
    "COMMAND_KEYS_FILE": "command_keys_file",
    "LEGACY_REPLIES": "legacy_replies",
}
_BRIDGE = {
    "mqtt_host": "host",
    "mqtt_port": "port",
    "mqtt_username": "username",
    "mqtt_password": "password",
    "mqtt_namespace": "namespace",
    "mqtt_ssl": "tls",
}


def _integer(text: str) -> int:
    return int(text)


def _switch(text: str) -> bool:
    return _SWITCH[text.lower()]


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _modes(text: str) -> tuple[Mode, ...]:
    return tuple(Mode(part) for part in _list(text))


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "port": (_integer, "a number, such as 1883"),
    "tls": (_switch, "0 or 1"),
    "modes": (_modes, f"a list of {', '.join(Mode)}, joined by commas"),
    "sources": (_list, "a list of sources, joined by commas"),
    "allowed_commands": (_list, "a list of commands, joined by commas"),
    "command_keys": (split_keys, SHAPE),
    "legacy_replies": (_switch, "0 or 1"),
}


def _build(
    given: Mapping[str, tuple[str, str | None]], *, origin: str, more: Mapping[str, Any] | None = None
) -> PluginSettings:
    values: dict[str, Any] = dict(more or {})
    problems = []
    for name, (label, text) in given.items():
        if text is None:
            continue
        reader, shape = _READERS.get(name, (str, "text"))
        try:
            values[name] = reader(text)
        except (ValueError, KeyError):
            shown = "" if name == "command_keys" else f", not {text!r}"
            problems.append(f"{label} is {shape}{shown}")
    if "bot" not in values:
        problems.append(f"{given['bot'][0]} is missing: the name of this bot, as `signal-gateway bots add` made it")
        values["bot"] = "unnamed"
    try:
        settings = PluginSettings(**values)
    except SettingsError as error:
        raise SettingsError([*problems, *error.problems], origin=origin) from None
    if problems:
        raise SettingsError(problems, origin=origin)
    return settings


def _problems(settings: PluginSettings) -> Iterator[str]:
    yield from _broker_problems(settings)
    yield from _bot_problems(settings)
    try:
        _ = settings.keys
    except KeyRefused as error:
        yield str(error)


def _bot_problems(settings: PluginSettings) -> Iterator[str]:
    if not is_name(settings.bot) or settings.bot == RESERVED_BOT:
        yield f"bot has only A-Z a-z 0-9 _ and -, and is not {RESERVED_BOT!r}; it is {settings.bot!r}"
    if not settings.modes:
        yield f"modes is empty: this bot would refuse every signal; the modes are {', '.join(Mode)}"
    if unknown := [mode for mode in settings.modes if mode not in set(Mode)]:
        yield f"{unknown[0]!r} is no mode; the modes are {', '.join(Mode)}"
    if wrong := [source for source in settings.sources if not is_name(source)]:
        yield f"sources are names, which {wrong[0]!r} is not"
    try:
        Topics(root=settings.root, namespace=settings.namespace)
    except TopicError as error:
        yield str(error)


def _broker_problems(settings: PluginSettings) -> Iterator[str]:
    if not settings.host:
        yield "host is empty: the broker's name or address"
    if not 0 < settings.port < 1 << 16:
        yield f"port is 1 to 65535, not {settings.port}"
    if settings.mqtt_version not in _VERSIONS:
        yield f"mqtt_version is one of {', '.join(_VERSIONS)}, not {settings.mqtt_version!r}"
    if settings.password is not None and settings.username is None:
        yield "there is a password, but no username"
    if settings.ca is not None and not settings.tls:
        yield "there is a ca, but tls is off"


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
