"""The compose file, with its variables as ``up`` sets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
SET_BY_UP = {
    "DOMAIN": "signals.example.com",
    "PUBLIC_URL": "https://signals.example.com",
    "EDGE_ADDRESS": "0.0.0.0",
    "REVISION": "0123456789",
    "MOUNTED": "1-2",
    "CONFIGURED": "3-4",
}
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?:(:-|:\?)([^}]*))?\}")


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """A text with its variables replaced, as docker compose does."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        assert name in given or kind == ":-", f"{name} has no value"
        return given.get(name) or rest

    return _VARIABLE.sub(value, text)


def variables() -> set[str]:
    """The names of all variables of the file."""
    return {match[1] for match in _VARIABLE.finditer((FOLDER / "compose.yml").read_text())}


def required() -> set[str]:
    """The variables that the file cannot do without."""
    return {match[1] for match in _VARIABLE.finditer((FOLDER / "compose.yml").read_text()) if match[2] == ":?"}


def document(**given: str) -> dict[str, Any]:
    """The file as docker compose reads it."""
    loaded: dict[str, Any] = yaml.safe_load(interpolated((FOLDER / "compose.yml").read_text(), SET_BY_UP | given))
    return loaded


def environment(service: str) -> dict[str, str]:
    """The variables of a service."""
    return {name: str(value) for name, value in document()["services"][service]["environment"].items()}
