"""What arrived, started and finished at this bot: the memory that keeps a signal from running twice."""

from __future__ import annotations

from bot_plugin.inbox.memory import MemoryInbox
from bot_plugin.inbox.model import (
    KEEP_AFTER_EXPIRY,
    WITHDRAWN,
    Arrival,
    Inbox,
    Recovered,
    Step,
    Unfinished,
    forget_at,
)
from bot_plugin.inbox.sqlite import SqliteInbox

__all__ = [
    "KEEP_AFTER_EXPIRY",
    "WITHDRAWN",
    "Arrival",
    "Inbox",
    "MemoryInbox",
    "Recovered",
    "SqliteInbox",
    "Step",
    "Unfinished",
    "forget_at",
]
