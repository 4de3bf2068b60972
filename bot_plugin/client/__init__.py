"""For third-party software: command bots through the broker, and listen to them.

from bot_plugin.client import BotClient, ClientSettings
"""

from __future__ import annotations

import bot_plugin.guard  # noqa: F401  # before any `schemas`
from bot_plugin.client.bot import Bot, Profile
from bot_plugin.client.client import BotClient
from bot_plugin.client.payloads import Configuration, Holding, TradeFill
from bot_plugin.client.results import CommandRefused, CommandUnknown, Outcome, Result
from bot_plugin.client.settings import ClientSettings
from bot_plugin.client.streams import Stream, Told
from bot_plugin.client.synchronous import SyncBotClient, SyncStream
from bot_plugin.errors import LinkRefused, SettingsError
from bot_plugin.program import run_program
from schemas.signature import CommandKey

__all__ = [
    "Bot",
    "BotClient",
    "ClientSettings",
    "CommandKey",
    "CommandRefused",
    "CommandUnknown",
    "Configuration",
    "Holding",
    "LinkRefused",
    "Outcome",
    "Profile",
    "Result",
    "SettingsError",
    "Stream",
    "SyncBotClient",
    "SyncStream",
    "Told",
    "TradeFill",
    "run_program",
]
