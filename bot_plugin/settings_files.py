"""The files that settings come from: lines of ``KEY=VALUE``, Hummingbot's ``conf_client.yml``, and ours beside it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot_plugin.errors import SettingsError

PREFIX = "SIGNAL_GATEWAY_"

HUMMINGBOTS = (
    "mqtt_host",
    "mqtt_port",
    "mqtt_username",
    "mqtt_password",
    "mqtt_namespace",
    "mqtt_ssl",
    "mqtt_logger",
    "mqtt_notifier",
    "mqtt_commands",
    "mqtt_events",
)
"""What Hummingbot itself knows in its ``mqtt_bridge:`` block, as far as it concerns the plugin: it refuses others."""

BESIDE = "conf_signal_gateway.yml"
"""What Hummingbot has no name for stands in this file, beside its own: there it would end Hummingbot's start."""


@dataclass(frozen=True, slots=True)
class ConfClient:
    """What Hummingbot's configuration and the file beside it say, by the settings' names, and what should not be."""

    instance_id: Any
    bridge: Mapping[str, Any]
    beside: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def read_environment(environ: Mapping[str, str] | None, env_file: str | Path | None) -> tuple[dict[str, str], str]:
    """The variables of an environment and of a file of ``KEY=VALUE`` lines, and in words where they come from.

    Args:
        environ: the environment, which wins; the process's own where None.
        env_file: the file; ``SIGNAL_GATEWAY_ENV_FILE`` names one too.

    Raises:
        SettingsError: the file cannot be read.
    """
    environ = os.environ if environ is None else environ
    file = env_file or environ.get(f"{PREFIX}ENV_FILE")
    origin = f"the environment and {file}" if file else "the environment"
    return {**(read_env_file(Path(file)) if file else {}), **environ}, origin


def read_env_file(path: Path) -> dict[str, str]:
    """Read ``KEY=VALUE`` lines; ``#`` comments, ``export`` and quotes as a shell has them.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise SettingsError([f"{path} cannot be read: {error.strerror}"], origin="the environment") from None
    pairs = [line.strip().removeprefix("export ") for line in lines]
    split = [pair.partition("=") for pair in pairs if pair and not pair.startswith("#")]
    return {key.strip(): value.strip().strip("\"'") for key, _, value in split}


def read_conf_client(path: Path, *, names: Collection[str]) -> ConfClient:
    """Read ``mqtt_bridge`` and ``instance_id`` of Hummingbot's ``conf_client.yml``, and our file beside it.

    Args:
        path: Hummingbot's file.
        names: the settings that the file beside it may have.

    Raises:
        SettingsError: a file cannot be read, Hummingbot's has no such block, or PyYAML is missing.
    """
    document = _read_yaml(path)
    if not isinstance(document, dict) or not isinstance(document.get("mqtt_bridge"), dict):
        raise SettingsError(["it has no mqtt_bridge: block"], origin=str(path))
    found = read_beside(document.get("instance_id"), document["mqtt_bridge"], folder=path.parent, names=names)
    return replace(found, problems=(*_misplaced(document, names), *found.problems))


def read_beside(instance_id: Any, bridge: Mapping[str, Any], *, folder: Path, names: Collection[str]) -> ConfClient:
    """Read our file in the folder of Hummingbot's configuration, beside what that is.

    Args:
        instance_id: Hummingbot's.
        bridge: its ``mqtt_bridge``.
        folder: where ``conf_client.yml`` is.
        names: the settings that the file may have.

    Raises:
        SettingsError: it cannot be read, or PyYAML is missing.
    """
    own = folder / BESIDE
    beside = (_read_yaml(own) or {}) if own.exists() else {}
    if not isinstance(beside, dict):
        raise SettingsError(["it is no list of settings, such as modes: live"], origin=str(own))
    known = {name: value for name, value in beside.items() if name in names}
    return ConfClient(instance_id, bridge, known, tuple(_unknown(beside, names)))


def _misplaced(document: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    found = ["signal_gateway"] if "signal_gateway" in document else []
    found += [f"mqtt_bridge.{name}" for name in document["mqtt_bridge"] if name in names and name not in HUMMINGBOTS]
    for name in found:
        yield f"{name}: with it Hummingbot refuses to start; it belongs into {BESIDE} beside this file"


def _unknown(beside: Mapping[Any, Any], names: Collection[str]) -> Iterator[str]:
    for name in beside:
        if name not in names:
            yield f"{BESIDE}: {name!r} is no setting; there are {', '.join(names)}"


def _read_yaml(path: Path) -> Any:
    try:
        yaml = importlib.import_module("yaml")  # not a dependency of the base install; Hummingbot ships it
    except ImportError:
        raise SettingsError(["reading it needs PyYAML: pip install PyYAML"], origin=str(path)) from None
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError([f"it cannot be read: {error.strerror}"], origin=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError([f"it is not YAML{place_in_yaml(error)}"], origin=str(path)) from None


def place_in_yaml(error: Any) -> str:
    """Where YAML ends, without the line itself: it may show a password."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    return f", at line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
