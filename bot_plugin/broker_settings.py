"""What bots and clients share of their settings: how the broker is reached, and how an environment spells that."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bot_plugin.errors import SettingsError
from bot_plugin.settings_files import PREFIX, read_environment
from bot_plugin.tls import tls_context
from bot_plugin.transport import V5, V311, LinkSettings
from schemas.topics import TopicError, Topics

BROKER_VARIABLES = {
    "MQTT_HOST": "host",
    "MQTT_PORT": "port",
    "MQTT_USERNAME": "username",
    "MQTT_PASSWORD": "password",
    "MQTT_TLS": "tls",
    "MQTT_SSL": "tls",
    "MQTT_CA": "ca",
    "MQTT_CERT": "cert",
    "MQTT_KEY": "key",
    "MQTT_VERSION": "mqtt_version",
    "ROOT": "root",
    "NAMESPACE": "namespace",
    "MQTT_NAMESPACE": "namespace",
}
"""Variables without their prefix, and the settings that they are; of two for one, the second is Hummingbot's name."""

SECRETS = frozenset({"password", "command_key", "command_keys"})
"""Settings whose text no message shows."""

Given = dict[str, tuple[str, Any]]
"""By setting, what it is called where it was found, and what stands there; None where nothing does."""

Reader = tuple[Callable[[Any], Any], str]
"""Reads a text, or a value of a file, and says what shape it has."""

_VERSIONS = {"auto": (V5, V311), "5": (V5,), "3.1.1": (V311,)}
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """How the broker is reached, and the prefixes of the topics.

    Args:
        tls: whether to speak TLS; the certificate is checked.
        ca: a file with the certificate authorities to trust; None for the system's.
        cert: a file with one's own certificate, where the broker asks for it.
        key: a file with its key; None where ``cert`` holds it too.
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
    cert: str | None = None
    key: str | None = None
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

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text may show."""
        return (self.password,) if self.password else ()

    def tls_context(self) -> ssl.SSLContext | None:
        """A context that checks the broker's certificate; None without TLS.

        Raises:
            SettingsError: naming each file that cannot be used.
        """
        return tls_context(ca=self.ca, cert=self.cert, key=self.key) if self.tls else None

    def link(self, name: str, role: str, *, who: str) -> LinkSettings:
        """How a connection reaches the broker.

        Args:
            name: of the bot or the client.
            role: what the connection is for; with the name it makes the client id.
            who: whose connection it is, in words.
        """
        return LinkSettings(
            host=self.host,
            port=self.port,
            client_id=f"{self.root.replace('/', '.')}.{name}.{role}",
            who=who,
            username=self.username,
            password=self.password,
            tls=self.tls_context(),
            versions=self.versions,
        )

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
        for name in ("ca", "cert", "key"):
            if getattr(self, name) is not None and not self.tls:
                yield f"there is a {name}, but tls is off"
        if self.key is not None and self.cert is None:
            yield "there is a key, but no cert that it belongs to"
        try:
            Topics(root=self.root, namespace=self.namespace)
        except TopicError as error:
            yield str(error)


Kind = TypeVar("Kind", bound=BrokerSettings)


def make(kind: type[Kind], values: Mapping[str, Any], problems: Iterable[str], *, origin: str) -> Kind:
    """Make settings of what was read.

    Args:
        kind: which.
        values: what could be read.
        problems: what could not.
        origin: where it stands, in words.

    Raises:
        SettingsError: with every problem, the settings' own too.
    """
    problems = list(problems)
    try:
        settings = kind(**values)
    except SettingsError as error:
        problems += error.problems
    else:
        if not problems:
            return settings
    raise SettingsError(problems, origin=origin)


def text(value: Any) -> str:
    """Read a text; a file's number is one too, such as a password of digits.

    Raises:
        ValueError: it is a list, or a switch.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError


def as_it_is(value: Any) -> Any:
    """Leave a value to the settings themselves, which read it."""
    return value


def switch(value: Any) -> bool:
    """Read a switch."""
    return value if isinstance(value, bool) else _SWITCH[text(value).lower()]


def words(value: Any) -> tuple[str, ...]:
    """Read a list of words: a file's, or one that commas join."""
    parts = value if isinstance(value, list) else text(value).split(",")
    return tuple(word for part in parts if (word := text(part).strip()))


def _integer(value: Any) -> int:
    return int(text(value))


def _namespace(value: Any) -> str:
    given = text(value)
    return given[:-1] if given.endswith(("/", ".")) else given  # as Hummingbot reads it


BROKER_READERS: Mapping[str, Reader] = {
    "port": (_integer, "a number, such as 1883"),
    "tls": (switch, "0 or 1"),
    "namespace": (_namespace, "text"),
}


def spelled_in(
    variables: Mapping[str, str], *, environ: Mapping[str, str] | None, env_file: str | Path | None
) -> tuple[Given, str]:
    """Look settings up in an environment and in a file of ``KEY=VALUE`` lines; the environment wins.

    Args:
        variables: names without their prefix, and the settings that they are.
        environ: the environment; the process's own where None.
        env_file: the file; ``SIGNAL_GATEWAY_ENV_FILE`` names one too.

    Returns:
        Each setting's variable and text, None where it has none; and where that comes from, in words.

    Raises:
        SettingsError: the file cannot be read, or a setting stands there twice.
    """
    values, origin = read_environment(environ, env_file)
    names = {f"{PREFIX}{variable}": setting for variable, setting in variables.items()}
    return by_setting(names, values, origin=origin), origin


def by_setting(names: Mapping[str, str], values: Mapping[str, Any], *, origin: str, prefix: str = "") -> Given:
    """Sort what stands somewhere by setting; what is empty is as good as absent.

    Args:
        names: what may stand there, and the settings that they are.
        values: what stands there.
        origin: where that is, in words.
        prefix: what the names have before them in messages.

    Raises:
        SettingsError: two names of one setting stand there, with different values.
    """
    given: Given = {}
    problems = []
    for name, setting in names.items():
        label, value = f"{prefix}{name}", values.get(name)
        if value is None or value == "":
            given.setdefault(setting, (label, None))
            continue
        other, before = given.get(setting, (label, None))
        if before is not None and before != value:
            problems.append(f"{other} and {label} are the same setting, and differ: keep one")
        given[setting] = (label, value)
    if problems:
        raise SettingsError(problems, origin=origin)
    return given


def read_spelled(
    given: Mapping[str, tuple[str, Any]], readers: Mapping[str, Reader]
) -> tuple[dict[str, Any], list[str]]:
    """Read what was found into settings' values: the values, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting, (label, value) in given.items():
        if value is None:
            continue
        reader, shape = readers.get(setting, (text, "text"))
        try:
            values[setting] = reader(value)
        except (ValueError, KeyError):
            problems.append(f"{label} is {shape}" + ("" if setting in SECRETS else f", not {value!r}"))
    return values, problems
