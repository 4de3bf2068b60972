"""What the running Hummingbot is configured to do, as far as the plugin's own settings come from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hummingbot
from hummingbot.client import settings

from bot_plugin.hummingbot.internals.fit import require
from bot_plugin.settings_files import HUMMINGBOTS


def instance_id(application: Any) -> str:
    """The bot's name."""
    return str(require(application, "client_config_map.instance_id"))


def mqtt_bridge(application: Any) -> dict[str, Any]:
    """How its broker is reached, and what is told, by Hummingbot's names: as it is in memory, saved or not."""
    block = require(application, "client_config_map.mqtt_bridge")
    return {name: require(block, name) for name in HUMMINGBOTS}


def configuration_folder() -> Path:
    """Where ``conf_client.yml`` is."""
    return Path(require(settings, "CLIENT_CONFIG_PATH")).parent


def data_folder() -> Path:
    """Where Hummingbot keeps what it writes."""
    return Path(require(hummingbot, "data_path")())
