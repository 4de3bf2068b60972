"""A journal in a folder of its own, and a clock to set."""

from __future__ import annotations

import pytest

from gateway.journal import JournalSettings, open_journal
from tests.journal_drafts import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def opened(tmp_path, clock):
    """Opens journals, each closed at the end."""
    journals = []

    def open_(name="journal.db", **settings):
        journal = open_journal(JournalSettings(path=str(tmp_path / name), **settings), clock=clock)
        journals.append(journal)
        return journal

    yield open_
    for journal in journals:
        await journal.close()
