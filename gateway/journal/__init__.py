"""The commit point: every accepted signal, every refusal, every receipt, on disk before the answer."""

from gateway.journal.journal import Journal
from gateway.journal.memory import MemoryJournal
from gateway.journal.model import (
    Accepted,
    Delivered,
    Depth,
    Destination,
    Draft,
    Duplicate,
    Identity,
    JournalSettings,
    KnownBot,
    Lane,
    Life,
    Outcome,
    Refusal,
    Station,
    Waiting,
)
from gateway.journal.pruning import prune_for_ever
from gateway.journal.reception import Reception, Unanswered, Unhandled
from gateway.journal.room import Room, read_room
from gateway.journal.sqlite import SqliteJournal, open_journal

__all__ = [
    "Accepted",
    "Delivered",
    "Depth",
    "Destination",
    "Draft",
    "Duplicate",
    "Identity",
    "Journal",
    "JournalSettings",
    "KnownBot",
    "Lane",
    "Life",
    "MemoryJournal",
    "Outcome",
    "Reception",
    "Refusal",
    "Room",
    "SqliteJournal",
    "Station",
    "Unanswered",
    "Unhandled",
    "Waiting",
    "open_journal",
    "prune_for_ever",
    "read_room",
]
