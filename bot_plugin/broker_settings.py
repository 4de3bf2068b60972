"""What bots and clients share of their settings: how the broker is reached, and how an environment spells that."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot_plugin.errors import SettingsError
from bot_plugin.settings_files import read_env_file
from bot_plugin.transport import V5, V311
from schemas.topics import TopicError, Topics

PREFIX = "SIGNAL_GATEWAY_"

BROKER_VARIABLES = {
    "MQTT_HOST": "host",
    "MQTT_PORT": "port",
    "MQTT_USERNAME": "username",
    "MQTT_PASSWORD": "password",
    "MQTT_TLS": "tls",
    "MQTT_CA": "ca",
    "MQTT_VERSION": "mqtt_version",
    "ROOT": "root",
    "NAMESPACE": "namespace",
}
"""Variables without their prefix, and the settings that they are."""

SECRETS = frozenset({"password", "command_key", "command_keys"})
"""Settings whose text no message shows."""

Reader = tuple[Callable[[str], Any], str]
"""Reads a text, and says what shape it has."""

_VERSIONS = {"auto": (V5, V311), "5": (V5,), "3.1.1": (V311,)}
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How the broker is reached, and the prefixes of the topics.

    Args:
        tls: whether to speak TLS; the certificate is checked.
        ca: a file with the certificate authorities to trust; None for the system's.
        root: the prefix of the signal topics.
        namespace: the prefix of the bots' own topics.
        mqtt_version: ``auto`` (MQTT 5, else 3.1.1), ``5`` or ``3.1.1``.
    """

    host: str = "localhost"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None
    root: str = "signals"
    namespace: str = "hbot"
    mqtt_version: str = "auto"

    @property
    def topics(self) -> Topics:
        """The topic tree."""
        return Topics(root=self.root, namespace=self.namespace)

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

    def broker_problems(self) -> Iterator[str]:
        """What cannot work, each in a sentence."""
        if not self.host:
            yield "host is empty: the broker's name or address"
        if not 0 < self.port < 1 << 16:
            yield f"port is 1 to 65535, not {self.port}"
        if self.mqtt_version not in _VERSIONS:
            yield f"mqtt_version is one of {', '.join(_VERSIONS)}, not {self.mqtt_version!r}"
        if self.password is not None and self.username is None:
            yield "there is a password, but no username"
        if self.ca is not None and not self.tls:
            yield "there is a ca, but tls is off"
        try:
            Topics(root=self.root, namespace=self.namespace)
        except TopicError as error:
            yield str(error)


def _integer(text: str) -> int:
    return int(text)


def switch(text: str) -> bool:
    """Read a switch."""
    return _SWITCH[text.lower()]


def words(text: str) -> tuple[str, ...]:
    """Read a list of words that commas join."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


BROKER_READERS: Mapping[str, Reader] = {
    "port": (_integer, "a number, such as 1883"),
    "tls": (switch, "0 or 1"),
}


def spelled_in(
    variables: Mapping[str, str], *, environ: Mapping[str, str] | None, env_file: str | Path | None
) -> tuple[dict[str, tuple[str, str | None]], str]:
    """Look settings up in an environment and in a file of ``KEY=VALUE`` lines; the environment wins.

    Args:
        variables: names without their prefix, and the settings that they are.
        environ: the environment; the process's own where None.
        env_file: the file; ``SIGNAL_GATEWAY_ENV_FILE`` names one too.

    Returns:
        Each setting's variable and text, None where it has none; and where that comes from, in words.

    Raises:
        SettingsError: the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    file = env_file or environ.get(f"{PREFIX}ENV_FILE")
    values = {**(read_env_file(Path(file)) if file else {}), **environ}
    given = {name: (f"{PREFIX}{key}", values.get(f"{PREFIX}{key}") or None) for key, name in variables.items()}
    return given, f"the environment and {file}" if file else "the environment"


def read_spelled(
    given: Mapping[str, tuple[str, str | None]], readers: Mapping[str, Reader]
) -> tuple[dict[str, Any], list[str]]:
    """Read texts into settings' values: the values, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, (label, text) in given.items():
        if text is None:
            continue
        reader, shape = readers.get(name, (str, "text"))
        try:
            values[name] = reader(text)
        except (ValueError, KeyError):
            problems.append(f"{label} is {shape}" + ("" if name in SECRETS else f", not {text!r}"))
    return values, problems
