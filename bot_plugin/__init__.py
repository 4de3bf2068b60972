"""What runs inside the bot: listens to signals, calls a strategy, and sends a receipt for each.

from bot_plugin import SignalListener
"""

from __future__ import annotations

import contextlib
import importlib
from pathlib import Path


def _guard() -> None:
    """Say it plainly where a ``schemas`` of somebody else's stands before ours on the path.

    Raises:
        ImportError: naming the file, and the cure.
    """
    with contextlib.suppress(ModuleNotFoundError):
        if hasattr(importlib.import_module("schemas.envelope"), "encode_head"):
            return
    try:
        found = importlib.import_module("schemas")
    except ModuleNotFoundError:
        raise ImportError("the package `schemas` of signal-gateway is missing: install signal-gateway again") from None
    where = found.__file__ or next(iter(found.__path__), "?")
    raise ImportError(
        f"another package named `schemas` hides the one of signal-gateway: {where}. "
        f"Rename it, or start Python where {Path(where).parent} is not before site-packages on sys.path "
        "(python -P, or PYTHONSAFEPATH=1, leaves the working directory out)."
    )


_guard()

from bot_plugin.commands import Answer, CommandFailed, CommandTarget, RemoteCommands  # noqa: E402  # behind the guard
from bot_plugin.errors import LinkRefused, ListenerEnded, NameTaken, SettingsError  # noqa: E402
from bot_plugin.handlers import Handlers  # noqa: E402
from bot_plugin.inbox import Inbox, MemoryInbox, SqliteInbox  # noqa: E402
from bot_plugin.listener import SignalListener  # noqa: E402
from bot_plugin.mailbox import Latest, QueuedSignal, SignalQueue  # noqa: E402
from bot_plugin.program import run_program  # noqa: E402
from bot_plugin.settings import PluginSettings  # noqa: E402
from bot_plugin.signal import Signal  # noqa: E402
from bot_plugin.threaded import ThreadedListener  # noqa: E402
from bot_plugin.topic_queue import TopicQueue  # noqa: E402

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
    "QueuedSignal",
    "RemoteCommands",
    "SettingsError",
    "Signal",
    "SignalListener",
    "SignalQueue",
    "SqliteInbox",
    "ThreadedListener",
    "TopicQueue",
    "run_program",
]
