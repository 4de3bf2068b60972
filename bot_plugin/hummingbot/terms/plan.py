"""What a request to start means: which strategy, with which configuration; pure, over what the folders hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot_plugin.commands import CommandFailed
from schemas.command import Start

LOADERS = ("v2_with_controllers", "signal_controllers")
"""The scripts that run controllers and are nothing else: Hummingbot's, and the one of our examples."""

_SCRIPT = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SUFFIXES = (".yml", ".yaml")


class Shelf(StrEnum):
    """Where a configuration lies: below ``conf``."""

    SCRIPTS = "scripts"
    CONTROLLERS = "controllers"
    STRATEGIES = "strategies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The files that may be started.

    Args:
        script: the file of a script, by its name without suffix.
        conf: the file of a configuration.
        read: what a YAML file holds; raises CommandFailed where it cannot be read.
    """

    script: Callable[[str], Path]
    conf: Callable[[Shelf, str], Path]
    read: Callable[[Path], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was imported: the strategy and its file, as the application has them."""

    strategy: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be started.

    Args:
        strategy: its name: a script's, or one of Hummingbot's own.
        conf: the configuration's file; None for a script with its defaults.
        generate: the controllers of a configuration that is yet to be written, for the script that runs them.
        own: whether it is one of Hummingbot's own strategies, with a file of ``conf/strategies``.
        load: whether that file is yet to be imported.
    """

    strategy: str
    conf: str | None = None
    generate: tuple[str, ...] = ()
    own: bool = False
    load: bool = False

    @property
    def words(self) -> str:
        """For a person."""
        if self.generate:
            return f"{self.strategy} with {', '.join(self.generate)}"
        return f"{self.strategy} with {self.conf or 'its defaults'}"


def plan(wanted: Start, library: Library, imported: Imported | None) -> Plan:
    """Find what a request means.

    Raises:
        CommandFailed: a file is missing or unreadable, or the names do not fit together.
    """
    script = None if wanted.script is None else script_name(wanted.script)
    conf = None if wanted.conf is None else file_name(wanted.conf)
    if script is not None:
        return _script(script, conf, library)
    if conf is not None:
        return _conf(conf, library)
    if imported is None:
        raise CommandFailed(
            "nothing is imported: import a strategy's configuration first, or start with a script, a conf, or both"
        )
    if library.script(imported.strategy).exists():
        held = library.conf(Shelf.SCRIPTS, file_name(imported.file))
        return _script(imported.strategy, held.name if held.exists() else None, library)
    return Plan(strategy=imported.strategy, conf=imported.file, own=True)


def script_name(given: str) -> str:
    """The name of a script, given with or without its suffix.

    Raises:
        CommandFailed: it is no name that a script can have.
    """
    name = given.strip().removesuffix(".py")
    if not _SCRIPT.fullmatch(name):
        raise CommandFailed(f"{given!r} is no script's name: it is the name of a file in the folder scripts")
    return name


def file_name(given: str) -> str:
    """The name of a configuration's file, given with or without its suffix.

    Raises:
        CommandFailed: it names a folder, or nothing.
    """
    name = given.strip()
    if not name or name.startswith(".") or any(char in name for char in "/\\\0\n"):
        raise CommandFailed(f"{given!r} is no configuration's name: it is the name of a file, without its folder")
    return name if name.endswith(_SUFFIXES) else f"{name}.yml"


def _script(script: str, conf: str | None, library: Library) -> Plan:
    _present(library.script(script), f"script {script!r}")
    if conf is None:
        return Plan(strategy=script)
    path = _present(library.conf(Shelf.SCRIPTS, conf), f"configuration {conf!r} of scripts")
    named = library.read(path).get("script_file_name")
    if named and str(named).removesuffix(".py") != script:
        raise CommandFailed(f"{conf} is the configuration of {named}, not of {script}.py: its script_file_name says so")
    return Plan(strategy=script, conf=conf)


def _conf(conf: str, library: Library) -> Plan:
    places = {shelf: library.conf(shelf, conf) for shelf in Shelf}
    shelf = next((shelf for shelf, path in places.items() if path.exists()), None)
    if shelf is None:
        raise CommandFailed(f"there is no configuration {conf!r}: not in {', '.join(str(p) for p in places.values())}")
    held = library.read(places[shelf])
    if shelf is Shelf.SCRIPTS:
        named = held.get("script_file_name")
        if not named:
            raise CommandFailed(f"{places[shelf]} has no script_file_name: write it there, or name the script too")
        return _script(script_name(str(named)), conf, library)
    if shelf is Shelf.CONTROLLERS:
        return _controller(conf, library)
    return Plan(strategy=str(held.get("strategy")), conf=conf, own=True, load=True)


def _controller(conf: str, library: Library) -> Plan:
    loader = next((name for name in LOADERS if library.script(name).is_file()), None)
    if loader is None:
        raise CommandFailed(
            f"{conf} configures a controller, which a script has to run, and there is none: no file "
            f"{library.script(LOADERS[0])}; take it from Hummingbot's repository, or {LOADERS[1]}.py from the examples "
            "of signal-gateway"
        )
    name = f"{conf.rsplit('.', 1)[0].replace('.', '_')}.yml"  # Hummingbot cuts a database's name at its first dot
    return Plan(strategy=loader, conf=name, generate=(conf,))


def _present(path: Path, what: str) -> Path:
    if not path.is_file():
        raise CommandFailed(f"there is no {what}: no file {path}")
    return path
