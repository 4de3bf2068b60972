"""Writes configurations to their files: what could not be written is an error, and leaves the file as it was."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot_plugin.hummingbot.internals.application import client_config, folder
from bot_plugin.hummingbot.internals.overheard import Overheard


class NotSaved(OSError):
    """A configuration could not be written; the cause says why."""


def save_client(application: Any) -> None:
    """Write ``conf_client.yml``.

    Raises:
        NotSaved: it could not be written.
    """
    save_model(folder("CLIENT_CONFIG_PATH"), client_config(application))


def save_model(path: Path, config: Any) -> None:
    """Write a configuration that Hummingbot has a model of.

    Raises:
        NotSaved: it could not be written.
    """
    from hummingbot.client.config.config_helpers import save_to_yml  # noqa: PLC0415

    write(path, lambda: save_to_yml(path, config))


def save_legacy(path: Path, config: Any) -> None:
    """Write a configuration that is a mapping of Hummingbot's variables.

    Raises:
        NotSaved: it could not be written.
    """
    from hummingbot.client.config.config_helpers import save_to_yml_legacy  # noqa: PLC0415

    write(path, lambda: save_to_yml_legacy(str(path), config))


def write(path: Path, save: Callable[[], None]) -> None:
    """Run what writes a file, also one that logs its errors only; the file is as it was where it fails.

    Raises:
        NotSaved: it could not be written.
    """
    try:
        before = path.read_bytes() if path.exists() else None
    except OSError as error:
        raise NotSaved(f"{path} could not be written: {error}") from error
    with Overheard(logging.getLogger()) as heard:
        try:
            save()
        except Exception as error:  # noqa: BLE001  # a representer of another library, or the disk
            heard.errors.append(error)
    if not heard.errors:
        return
    with suppress(OSError):
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
    raise NotSaved(f"{path} could not be written: {heard.errors[0]}") from heard.errors[0]
