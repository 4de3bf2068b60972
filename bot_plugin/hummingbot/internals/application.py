"""The application that runs in this process: found, never created, and what everybody asks of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bot_plugin.hummingbot.internals.fit import require


def running() -> Any | None:
    """The application of this process; None where it has none, as when a tool only imports a script."""
    from hummingbot.client.hummingbot_application import HummingbotApplication  # noqa: PLC0415  # it is heavy

    return require(HummingbotApplication, "_main_app")


def loop_of(application: Any) -> asyncio.AbstractEventLoop:
    """The loop that everything of Hummingbot runs on."""
    loop: asyncio.AbstractEventLoop = require(application, "ev_loop")
    return loop


def is_headless(application: Any) -> bool:
    """Whether it runs without its terminal UI."""
    return bool(require(application, "headless_mode"))


def client_config(application: Any) -> Any:
    """Its ``conf_client.yml`` as it is in memory."""
    return require(application, "client_config_map")


def instance_of(application: Any) -> str:
    """The id under which it is on the broker."""
    return str(require(application, "client_config_map.instance_id"))


def tell(application: Any, text: str) -> None:
    """Show a text to whoever sits before it: in the UI, or in the log, and through its notifiers."""
    require(application, "notify")(text)


def folder(name: str) -> Path:
    """One of its folders, by the name that its settings have for it, such as ``STRATEGIES_CONF_DIR_PATH``."""
    from hummingbot.client import settings  # noqa: PLC0415

    return Path(require(settings, name))
