"""The plugin's version, as its card shows it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("signal-gateway")
    except PackageNotFoundError:  # run from a source tree
        return "0"


VERSION = _version()
