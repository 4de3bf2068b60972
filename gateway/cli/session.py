"""What every command has: the data folder, the settings in it, and ``--json``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from gateway.cli.failure import Exit, Failure
from gateway.cli.output import print_json, print_lines
from gateway.config.folder import Folder, find_folder
from gateway.config.load import load
from gateway.config.settings import Settings
from gateway.intake.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of a command."""

    folder: Folder
    environ: Mapping[str, str]
    as_json: bool

    def settings(self, *, thorough: bool = False) -> Settings:
        """The settings; ``thorough``: also what takes a while to check.

        Raises:
            ConfigError: they cannot be used.
        """
        return load(self.folder, self.environ, thorough=thorough)

    def emit(self, document: Any, lines: Iterable[str]) -> None:
        """Print the result: one JSON document, or lines for a person."""
        if self.as_json:
            print_json(document)
        else:
            print_lines(lines)

    def warn(self, lines: Iterable[str]) -> None:
        """Say something beside the result."""
        print_lines(lines, to=sys.stderr)


def session_command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--config``, ``--data`` and ``--json``, and a Session as its first argument."""

    @click.option("--config", metavar="FILE", help="The configuration (SIGNAL_GATEWAY_CONFIG).")
    @click.option("--data", metavar="DIR", help="The data folder (SIGNAL_GATEWAY_DATA); ./data unless given.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @wraps(function)
    def run(*, config: str | None, data: str | None, as_json: bool, **options: Any) -> None:
        environ = dict(os.environ)
        function(Session(folder=find_folder(config, data, environ), environ=environ, as_json=as_json), **options)

    return run


def source_of(settings: Settings, name: str) -> Source:
    """A source by its name.

    Raises:
        Failure: there is no such source.
    """
    if name not in settings.sources:
        known = ", ".join(settings.sources) or "none"
        raise Failure(Exit.REFUSED, f"there is no source {name!r}; there is {known}", code="not_found")
    return settings.sources[name]


def now_micros() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000
