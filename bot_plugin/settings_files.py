"""The files that settings come from: lines of ``KEY=VALUE``, and Hummingbot's ``conf_client.yml``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot_plugin.errors import SettingsError


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


def read_conf_client(path: Path) -> tuple[Mapping[str, Any], Any]:
    """Read ``mqtt_bridge`` and ``instance_id`` of Hummingbot's ``conf_client.yml``.

    Raises:
        SettingsError: the file cannot be read, has no such block, or PyYAML is missing.
    """
    try:
        yaml = importlib.import_module("yaml")  # not a dependency of the base install; Hummingbot ships it
    except ImportError:
        raise SettingsError(["reading it needs PyYAML: pip install PyYAML"], origin=str(path)) from None
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingsError([f"it cannot be read: {error.strerror}"], origin=str(path)) from None
    except yaml.YAMLError as error:
        raise SettingsError([f"it is not YAML: {error}"], origin=str(path)) from None
    if not isinstance(document, dict) or not isinstance(document.get("mqtt_bridge"), dict):
        raise SettingsError(["it has no mqtt_bridge: block"], origin=str(path))
    return document["mqtt_bridge"], document.get("instance_id")
