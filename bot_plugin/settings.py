"""How the plugin reaches the broker and what it may run: from the environment, from Hummingbot's file, or in code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot_plugin.broker_settings import (
    BROKER_READERS,
    BROKER_VARIABLES,
    BrokerSettings,
    Reader,
    as_it_is,
    by_setting,
    make,
    read_spelled,
    spelled_in,
    switch,
    text,
    words,
)
from bot_plugin.command_keys import SHAPE, KeyRefused, command_keys, in_texts, split_keys
from bot_plugin.errors import SettingsError
from bot_plugin.feeds import Feed, read_feeds
from bot_plugin.settings_files import BESIDE, HUMMINGBOTS, PREFIX, ConfClient, read_beside, read_conf_client
from schemas.fields import is_name
from schemas.signature import CommandKey
from schemas.topics import Mode

__all__ = ["PREFIX", "RESERVED_BOT", "VARIABLES", "PluginSettings"]

RESERVED_BOT = "predictions"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSettings(BrokerSettings):
    """The plugin's settings, besides how the broker is reached.

    Args:
        bot: the bot's name; one process at a time has it.
        modes: the modes that this bot runs; it refuses the others.
        state_dir: a folder of this bot's own, for what must survive a restart; ``./data/signal-gateway/<bot>`` where
            None.
        sources: the sources that ``*`` stands for; empty for every source of the gateway.
        listen: topic filters, each with the name of the callback or queue that it feeds, of those that the strategy
            provides: ``{"signals/v1/trade/btc-breakout/+": "act"}``.
        logger: whether ``telemetry.log_handler`` forwards log lines.
        notifier: whether ``telemetry.notify`` tells.
        commands: whether remote commands are taken.
        events: whether ``telemetry.event`` tells.
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
    modes: tuple[Mode, ...] = (Mode.LIVE,)
    state_dir: str | None = None
    sources: tuple[str, ...] = ()
    listen: tuple[Feed, ...] = ()
    logger: bool = True
    notifier: bool = True
    commands: bool = True
    events: bool = True
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
        try:
            object.__setattr__(self, "listen", read_feeds(self.listen))
        except ValueError as error:
            problems.append(f"listen: {error}")
        if problems:
            raise SettingsError(problems)
        object.__setattr__(self, "modes", tuple(Mode(mode) for mode in self.modes))

    @property
    def keys(self) -> Mapping[str, CommandKey]:
        """The command keys by name; where there are any, unsigned commands are refused."""
        return command_keys(self.command_keys, self.command_keys_file)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show."""
        return tuple(filter(None, (self.password, *in_texts(self.keys.values()))))

    @property
    def state_folder(self) -> Path:
        """Where the bot keeps what must survive a restart."""
        return Path("data", "signal-gateway", self.bot) if self.state_dir is None else Path(self.state_dir)

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
        given, origin = spelled_in(VARIABLES, environ=environ, env_file=env_file)
        values, problems = read_spelled(given, _READERS)
        return _build(values, problems, origin=origin, name=f"{PREFIX}BOT")

    @classmethod
    def from_conf_client(cls, path: str | Path, **more: Any) -> PluginSettings:
        """Read ``mqtt_bridge:`` and ``instance_id`` of Hummingbot's ``conf_client.yml``.

        ``conf_signal_gateway.yml`` beside it has what Hummingbot has no name for; it wins, and ``more`` over both.

        Raises:
            SettingsError: with every problem; also where PyYAML is missing.
        """
        return _of_hummingbot(read_conf_client(Path(path), names=_NAMES), more, origin=str(path))

    @classmethod
    def from_running(
        cls, instance_id: str, bridge: Mapping[str, Any], *, folder: str | Path, **more: Any
    ) -> PluginSettings:
        """Take what a running Hummingbot has in its memory, which its files may not have yet or no more.

        Args:
            instance_id: Hummingbot's.
            bridge: its ``mqtt_bridge``, by Hummingbot's names.
            folder: of its configuration, where ``conf_signal_gateway.yml`` may be; that wins over Hummingbot's.
            **more: PluginSettings that win over both.

        Raises:
            SettingsError: with every problem.
        """
        found = read_beside(instance_id, bridge, folder=Path(folder), names=_NAMES)
        return _of_hummingbot(found, more, origin=f"the running Hummingbot and {Path(folder, BESIDE)}")


VARIABLES = {
    "BOT": "bot",
    "INSTANCE_ID": "bot",
    **BROKER_VARIABLES,
    "MODES": "modes",
    "STATE_DIR": "state_dir",
    "SOURCES": "sources",
    "LISTEN": "listen",
    "ALLOWED_COMMANDS": "allowed_commands",
    "COMMAND_KEYS": "command_keys",
    "COMMAND_KEYS_FILE": "command_keys_file",
    "LEGACY_REPLIES": "legacy_replies",
    "MQTT_LOGGER": "logger",
    "MQTT_NOTIFIER": "notifier",
    "MQTT_COMMANDS": "commands",
    "MQTT_EVENTS": "events",
}
"""Variables without their prefix, and the settings that they are. In a file the same names stand in small letters."""

_NAMES = {variable.lower(): setting for variable, setting in VARIABLES.items()}


def _modes(value: Any) -> tuple[Mode, ...]:
    return tuple(Mode(part) for part in words(value))


def _keys(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {text(name): text(secret) for name, secret in value.items()}
    return split_keys(text(value))


_READERS: Mapping[str, Reader] = {
    **BROKER_READERS,
    "modes": (_modes, f"a list of {', '.join(Mode)}, joined by commas"),
    "sources": (words, "a list of sources, joined by commas"),
    "listen": (as_it_is, "filters with names"),
    "allowed_commands": (words, "a list of commands, joined by commas"),
    "command_keys": (_keys, SHAPE),
    **dict.fromkeys(("legacy_replies", "logger", "notifier", "commands", "events"), (switch, "0 or 1")),
}


def _of_hummingbot(found: ConfClient, more: Mapping[str, Any], *, origin: str) -> PluginSettings:
    bridge = {name: _NAMES[name] for name in HUMMINGBOTS}
    given = {"bot": ("instance_id", found.instance_id)}
    given |= by_setting(bridge, found.bridge, origin=origin, prefix="mqtt_bridge.")
    beside = by_setting(_NAMES, found.beside, origin=origin, prefix=f"{BESIDE}: ")
    given |= {setting: (label, value) for setting, (label, value) in beside.items() if value is not None}
    for setting in more:
        given.pop(setting, None)
    values, problems = read_spelled(given, _READERS)
    return _build({**values, **more}, [*found.problems, *problems], origin=origin, name="instance_id")


def _build(values: Mapping[str, Any], problems: Iterable[str], *, origin: str, name: str) -> PluginSettings:
    problems = list(problems)
    if "bot" not in values:
        problems.append(f"{name} is missing: the name of this bot, as `signal-gateway bots add` made it")
    return make(PluginSettings, {"bot": "unnamed", **values}, problems, origin=origin)


def _problems(settings: PluginSettings) -> Iterator[str]:
    yield from settings.broker_problems()
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
