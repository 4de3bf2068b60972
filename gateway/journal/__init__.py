"""The commit point: every accepted signal, every refusal, every receipt, on disk before the answer."""

from gateway.journal.memory import MemoryJournal
from gateway.journal.model import (
    Accepted,
    Delivered,
    Depth,
    Destination,
    Draft,
    Duplicate,
    Identity,
    Journal,
    JournalSettings,
    Lane,
    Life,
    Outcome,
    Refusal,
    Station,
    Waiting,
)
from gateway.journal.receiving import LeftOut
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
    "Lane",
    "LeftOut",
    "Life",
    "MemoryJournal",
    "Outcome",
    "Refusal",
    "SqliteJournal",
    "Station",
    "Waiting",
    "open_journal",
]
