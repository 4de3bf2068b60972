"""What runs inside the bot: listens to signals, calls a strategy, and sends a receipt for each.

from bot_plugin import SignalListener

What stands here is imported when it is first asked for, so that ``bot_plugin.predictions`` needs no library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot_plugin.commands import Answer, CommandFailed, CommandTarget, RemoteCommands
    from bot_plugin.errors import LinkRefused, ListenerEnded, NameTaken, SettingsError
    from bot_plugin.handlers import Handlers
    from bot_plugin.in_force import Predictions, Stale
    from bot_plugin.inbox import Inbox, MemoryInbox, SqliteInbox
    from bot_plugin.listener import SignalListener
    from bot_plugin.mailbox import Latest, QueuedSignal, SignalQueue
    from bot_plugin.program import run_program
    from bot_plugin.settings import PluginSettings
    from bot_plugin.signal import Signal
    from bot_plugin.threaded import ThreadedListener
    from bot_plugin.topic_queue import TopicQueue
else:

    def __getattr__(name: str) -> object:
        """Import what is asked for, where it stands in the table of contents."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        importlib.import_module("bot_plugin.guard")
        found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return found


_HOMES = {
    name: f"bot_plugin.{module}"
    for module, names in {
        "commands": ("Answer", "CommandFailed", "CommandTarget", "RemoteCommands"),
        "errors": ("LinkRefused", "ListenerEnded", "NameTaken", "SettingsError"),
        "handlers": ("Handlers",),
        "in_force": ("Predictions", "Stale"),
        "inbox": ("Inbox", "MemoryInbox", "SqliteInbox"),
        "listener": ("SignalListener",),
        "mailbox": ("Latest", "QueuedSignal", "SignalQueue"),
        "program": ("run_program",),
        "settings": ("PluginSettings",),
        "signal": ("Signal",),
        "threaded": ("ThreadedListener",),
        "topic_queue": ("TopicQueue",),
    }.items()
    for name in names
}

__all__ = [
    "Answer",
    "CommandFailed",
    "CommandTarget",
    "Handlers",
    "Inbox",
    "Latest",
    "LinkRefused",
    "ListenerEnded",
    "MemoryInbox",
    "NameTaken",
    "PluginSettings",
    "Predictions",
    "QueuedSignal",
    "RemoteCommands",
    "SettingsError",
    "Signal",
    "SignalListener",
    "SignalQueue",
    "SqliteInbox",
    "Stale",
    "ThreadedListener",
    "TopicQueue",
    "run_program",
]
