"""Hummingbot's folder: where its conf, data, logs and scripts are. Nothing of it is imported before this is decided."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hummingbot

from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.hummingbot.unstarted import Unstarted

_PARTS = (
    "conf/connectors",
    "conf/controllers",
    "conf/scripts",
    "conf/strategies",
    "controllers",
    "data",
    "logs",
    "scripts",
)


def settle(root: Path | None) -> Path:
    """Let Hummingbot live in a folder: the one that is named, else the source tree that it is run from, or here.

    Args:
        root: is made where it is not there.

    Raises:
        Unstarted: none is named, Hummingbot is installed as a package, and the working directory is none.
        OSError: it cannot be made.
    """
    own = Path(require(hummingbot, "root_path")())
    is_source = all((own / part).is_dir() for part in ("conf", "scripts"))
    folder = root or (own if is_source else Path.cwd())
    if root is None and not (folder / "conf").is_dir():
        raise Unstarted(
            f"{folder} is no folder of Hummingbot's, as it has no conf in it: name it with --root DIR, which is made "
            "where it is not there yet"
        )
    folder = folder.resolve()
    for part in _PARTS:
        (folder / part).mkdir(parents=True, exist_ok=True)
    if folder != own.resolve():
        _move(own, folder)
    os.chdir(folder)  # scripts are looked for in the working directory
    sys.path.insert(0, str(folder))
    return folder


def _move(own: Path, folder: Path) -> None:
    """Point Hummingbot's settings to a folder that its package is not in: it derives them from the package's place."""
    require(hummingbot, "set_prefix_path")(str(folder))
    from hummingbot.client import settings  # noqa: PLC0415  # before anything else has taken them over

    package = own / "hummingbot"
    for name, value in list(vars(settings).items()):
        if isinstance(value, Path) and value.is_relative_to(own) and not value.is_relative_to(package):
            setattr(settings, name, folder / value.relative_to(own))
