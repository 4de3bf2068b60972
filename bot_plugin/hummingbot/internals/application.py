"""The running HummingbotApplication, and what of it everything here needs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bot_plugin.hummingbot.internals.fit import require


def running() -> Any | None:
    """The application of this process; None where none runs. It never makes one."""
    from hummingbot.client.hummingbot_application import HummingbotApplication  # noqa: PLC0415  # it is heavy

    return require(HummingbotApplication, "_main_app")


def loop(application: Any) -> asyncio.AbstractEventLoop:
    """The loop that everything of Hummingbot runs on."""
    found: asyncio.AbstractEventLoop = require(application, "ev_loop")
    return found


def notify(application: Any, words: str) -> None:
    """Show its user something."""
    require(application, "notify")(words)


def notifiers(application: Any) -> list[Any]:
    """What it tells each text that it shows its user; the list itself."""
    found: list[Any] = require(application, "trading_core.notifiers")
    return found


def client_config(application: Any) -> Any:
    """Its ``conf_client.yml`` as it is in memory."""
    return require(application, "client_config_map")


def folder(name: str) -> Path:
    """One of its folders or files, by the name that its settings have for it: ``STRATEGIES_CONF_DIR_PATH``."""
    from hummingbot.client import settings  # noqa: PLC0415

    return Path(require(settings, name))
