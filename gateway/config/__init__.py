"""The configuration: a file and the environment in, frozen settings out, all errors at once with their lines."""

from gateway.config.bots import BotSources
from gateway.config.clients import ClientKeys
from gateway.config.errors import ConfigError, Problem
from gateway.config.folder import Folder, find_folder
from gateway.config.keyring import KeyRing
from gateway.config.load import load
from gateway.config.logins import BrokerLogins
from gateway.config.settings import Address, HttpSettings, Settings
from gateway.config.summary import summary, warnings

__all__ = [
    "Address",
    "BotSources",
    "BrokerLogins",
    "ClientKeys",
    "ConfigError",
    "Folder",
    "HttpSettings",
    "KeyRing",
    "Problem",
    "Settings",
    "find_folder",
    "load",
    "summary",
    "warnings",
]
