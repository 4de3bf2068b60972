"""Variables that set what the file sets: ``SIGNAL_GATEWAY_HTTP__PUBLIC__PORT`` is ``http.public.port`` and wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema

from gateway.config.document import Document, Path
from gateway.config.fields import Named, Section
from gateway.config.schema import RootSchema
from gateway.config.suggest import suggestion

PREFIX = "SIGNAL_GATEWAY_"

OTHERS = frozenset({"CONFIG", "DATA"})
"""Variables of the command line."""

_MQTT = (
    *("HOST", "PORT", "USERNAME", "PASSWORD", "TLS", "SSL", "CA", "CERT", "KEY", "VERSION", "NAMESPACE"),
    *("LOGGER", "NOTIFIER", "COMMANDS", "EVENTS"),
)
BOT = frozenset(
    {"BOT", "INSTANCE_ID", "MODES", "SOURCES", "ROOT", "NAMESPACE", "STATE_DIR", "ENV_FILE", "LISTEN"}
    | {"ALLOWED_COMMANDS", "COMMAND_KEYS", "COMMAND_KEYS_FILE", "LEGACY_REPLIES"}
    | {"CLIENT", "BOTS", "COMMAND_KEY", "API_TOKEN"}
    | {f"MQTT_{name}" for name in _MQTT}
)
"""Variables of bots and clients, which may run in the same environment."""


def overlay(document: Document, environ: Mapping[str, str]) -> None:
    """Put the variables that name a setting into a document."""
    for variable, value in _ours(environ):
        path = _path(variable, document)
        if path is None or not value:
            continue
        _set(document.data, path, value)
        for depth in range(1, len(path)):
            document.places.setdefault(path[:depth], variable)
        document.places[path] = variable


def unknown(document: Document, environ: Mapping[str, str]) -> list[str]:
    """A warning for each variable with the prefix that names nothing.

    It is no error: Kubernetes itself sets SIGNAL_GATEWAY_SERVICE_HOST beside a service of this name.
    """
    known = [PREFIX + name for name in (*_variables(RootSchema()), *OTHERS, *BOT)]
    return [
        f"{variable}: names no setting{suggestion(variable, known, likeness=0.85)}"
        for variable, _ in _ours(environ)
        if variable.removeprefix(PREFIX) not in OTHERS | BOT and _path(variable, document) is None
    ]


def _ours(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, environ[name]) for name in sorted(environ) if name.startswith(PREFIX))


def _path(variable: str, document: Document) -> Path | None:
    steps = variable.removeprefix(PREFIX).split("__")
    path: list[str] = []
    schema: Schema | None = RootSchema()
    while steps:
        if schema is None:
            return None
        key = steps.pop(0).lower()
        field = schema.fields.get(key)
        if field is None:
            return None
        path.append(key)
        if isinstance(field, Named):
            if not steps:
                return None
            path.append(_name(steps.pop(0), document.data, path))
            schema = field.schema
        else:
            schema = field.schema if isinstance(field, Section) else None
    return tuple(path) if schema is None else None


def _name(spelled: str, data: Any, path: list[str]) -> str:
    """The name in the file that a variable can only spell in capitals and without ``-``."""
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    for name in data if isinstance(data, dict) else ():
        if name.replace("-", "_").upper() == spelled.upper():
            return str(name)
    return spelled.lower()


def _set(data: dict[str, Any], path: Path, value: str) -> None:
    for step in path[:-1]:
        if not isinstance(data.get(step), dict):
            data[step] = {}
        data = data[step]
    data[path[-1]] = value


def _variables(schema: Schema) -> Iterator[str]:
    for key, field in schema.fields.items():
        if isinstance(field, Section):
            yield from (f"{key.upper()}__{inner}" for inner in _variables(field.schema))
        elif not isinstance(field, Named):
            yield key.upper()
