"""Every journal, each made by a factory of its own: a new one joins the list and has to pass the same suite."""

from __future__ import annotations

import pytest

from gateway.journal import JournalSettings, MemoryJournal, open_journal
from tests.journal_drafts import Clock


@pytest.fixture
def clock():
    return Clock()


def _memory(folder, clock):
    return MemoryJournal()


def _sqlite(folder, clock):
    return open_journal(JournalSettings(path=str(folder / "journal.db")), clock=clock)


@pytest.fixture(params=[_memory, _sqlite], ids=["memory", "sqlite"])
async def journal(request, tmp_path, clock):
    made = request.param(tmp_path, clock)
    yield made
    await made.close()
