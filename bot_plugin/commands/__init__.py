"""Remote commands: a bot does what it is asked to on its command topics, once each, and always answers."""

from __future__ import annotations

from bot_plugin.commands.answer import Answer, CommandFailed
from bot_plugin.commands.outcome import Outcome
from bot_plugin.commands.remote_commands import RemoteCommands
from bot_plugin.commands.target import CommandTarget

__all__ = ["Answer", "CommandFailed", "CommandTarget", "Outcome", "RemoteCommands"]
