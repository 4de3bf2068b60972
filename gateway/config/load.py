"""From the file and the environment to settings, or to everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from gateway.config.build import build
from gateway.config.command_keys import read_command_key
from gateway.config.document import Document, read_file
from gateway.config.document import Path as Key
from gateway.config.environment import overlay
from gateway.config.errors import ConfigError, Problem
from gateway.config.folder import Folder
from gateway.config.notify import TARGETS, notify_problems
from gateway.config.schema import RootSchema
from gateway.config.settings import Settings
from gateway.config.store import read_secret
from gateway.config.tls import tls_context


def load(folder: Folder, environ: Mapping[str, str], *, thorough: bool = True) -> Settings:
    """Read the settings of a data folder.

    Args:
        folder: where the configuration is.
        environ: the variables that win over it.
        thorough: whether apprise is asked about the targets of notifications, which takes 0.7 s where there are any.

    Raises:
        ConfigError: with every problem, in the order of the file.
    """
    return load_document(read_file(folder.config), folder, environ, thorough=thorough)


def load_document(document: Document, folder: Folder, environ: Mapping[str, str], *, thorough: bool = True) -> Settings:
    """Read the settings of a document, as ``load`` does.

    Raises:
        ConfigError: with every problem, in the order of the file.
    """
    overlay(document, environ)
    wrong: set[str] = set()
    try:
        sections: Any = RootSchema().load(document.data)
    except ValidationError as error:
        for key, problem in _flat(error.messages):
            document.complain(key, problem, found=document.found(key) if _may_show(key, problem) else None)
        sections, wrong = error.valid_data, set(error.messages)
    _resolve(sections, folder.config.parent)
    for key, problem in _missing(sections, folder):
        document.complain(key, problem)
    if "notify" not in wrong:
        sources = document.data.get("sources", ())
        for key, problem in notify_problems(sections["notify"], sources=sources, thorough=thorough):
            document.complain(key, problem)
    if document.problems:
        raise ConfigError(sorted(document.problems, key=_by_line))
    return build(sections, folder)


_MAY_BE_SECRET = ("is not a setting", "is a section", "is a mapping", "is an address such as http")


def _may_show(key: Key, problem: str) -> bool:
    """Whether the value is no secret: text that is not a setting's may be one, and an address may hold one."""
    return key[:2] != TARGETS and not problem.startswith(_MAY_BE_SECRET)


def _flat(messages: Any, key: Key = ()) -> Iterator[tuple[Key, str]]:
    """Nested messages as pairs of a key and a problem."""
    if isinstance(messages, Mapping):
        for step, inner in messages.items():
            yield from _flat(inner, key if step == "_schema" else (*key, str(step)))
    else:
        for message in messages:
            yield key, str(message)


def _by_line(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.place.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (problem.place, 0)


_PATHS = (
    ("journal", "path"),
    ("broker", "password_file"),
    ("broker", "tls", "ca"),
    ("broker", "tls", "cert"),
    ("broker", "tls", "key"),
    ("mosquitto", "password_file"),
    ("mosquitto", "acl_file"),
    ("emqx", "key_file"),
    ("emqx", "ca"),
)


def _resolve(sections: dict[str, Any], base: Path) -> None:
    """Make paths relative to the configuration's folder."""
    notify = sections.get("notify")
    targets = notify.get("targets", ()) if isinstance(notify, dict) else ()
    for target in targets:
        target["url_file"] = target["url_file"] and base / target["url_file"]
    for *above, last in _PATHS:
        section: Any = sections
        for step in above:
            section = section.get(step) if isinstance(section, dict) else None
        if isinstance(section, dict) and section.get(last) is not None:
            section[last] = base / section[last]
    for section in _signed(sections).values():
        section["key_file"] = base / section["key_file"]


def _signed(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of bots that get signed commands."""
    commands = sections.get("commands")
    bots = commands.get("bots") if isinstance(commands, dict) else None
    return bots if isinstance(bots, dict) else {}


def _missing(sections: Mapping[str, Any], folder: Folder) -> Iterator[tuple[Key, str]]:
    """Problems with files that the settings name."""
    for bot, section in _signed(sections).items():
        try:
            read_command_key(section["key_file"])
        except ValueError as error:
            yield ("commands", "bots", bot, "key_file"), f"does not work: {error}"
    broker = sections.get("broker")
    if not isinstance(broker, dict) or "kind" not in broker:
        return
    file = broker.get("password_file") or (folder.broker_password if broker["kind"] == "embedded" else None)
    if file and not read_secret(file):
        yield ("broker", "password_file"), f"{file} cannot be read or is empty: make it, or run signal-gateway init"
    tls = broker.get("tls")
    if isinstance(tls, dict) and tls.get("enabled"):
        try:
            tls_context(tls)
        except (OSError, ValueError) as error:
            yield ("broker", "tls"), f"does not work with these files: {error}"
