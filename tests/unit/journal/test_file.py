"""The journal's file: who may open it, and which files are refused."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from gateway.errors import Misconfigured, NotStored
from gateway.journal import JournalSettings, Lane, Station, database, open_journal
from tests.journal_drafts import START, draft, outcome, receipt

LANE = Lane("signals", "btc/BTC-USDT")
TOPIC = "signals/v1/trade/btc/BTC-USDT"


def refused(path, clock):
    with pytest.raises(Misconfigured) as caught:
        open_journal(JournalSettings(path=str(path)), clock=clock)
    assert str(path) in str(caught.value)
    return str(caught.value)


async def test_only_its_user_may_read_the_journal_and_a_folder_made_for_it(opened, tmp_path):
    journal = opened("new/deep/journal.db")
    await journal.accept([draft()])
    folder = tmp_path / "new" / "deep"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert set(modes) == {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock"}
    assert set(modes.values()) == {0o600}


async def test_a_file_that_others_could_read_is_closed_to_them(opened, tmp_path):
    await opened().close()
    (tmp_path / "journal.db").chmod(0o644)
    opened()
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600


async def test_a_second_gateway_on_the_same_journal_is_told_who_has_it(opened, tmp_path, clock):
    journal = opened()
    assert str(os.getpid()) in refused(tmp_path / "journal.db", clock)
    await journal.close()
    opened()


async def test_another_process_on_the_same_journal_is_refused(opened, tmp_path):
    opened()
    script = (
        "import sys; from gateway.journal import *; open_journal(JournalSettings(path=sys.argv[1]), clock=lambda: 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "journal.db")], capture_output=True, text=True, check=False
    )
    assert "in use by another gateway" in run.stderr


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, clock):
    path = tmp_path / "journal.db"
    path.write_text("these are not the bytes of a database" * 100)
    before = path.read_bytes()
    assert "not a database" in refused(path, clock)
    assert path.read_bytes() == before


def test_a_refused_file_does_not_stay_locked(tmp_path, clock):
    path = tmp_path / "journal.db"
    path.write_text("no database" * 100)
    refused(path, clock)
    assert "not a database" in refused(path, clock)


def test_a_database_of_another_program_is_refused(tmp_path, clock):
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE trades (id)")
    other.close()
    assert "no journal" in refused(path, clock)


async def test_a_journal_of_a_newer_version_is_refused(opened, tmp_path, clock):
    await opened().close()
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    assert "newer gateway" in refused(path, clock)


async def test_a_damaged_journal_is_refused(opened, tmp_path, clock):
    journal = opened()
    await journal.accept([draft(filler=3000) for _ in range(20)])
    await journal.close()
    path = tmp_path / "journal.db"
    whole = bytearray(path.read_bytes())
    for page in range(1, len(whole) // 4096):
        whole[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(whole)
    assert "restore a copy" in refused(path, clock)


def test_a_folder_that_cannot_be_used_is_named(tmp_path, clock):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=f"folder {tmp_path}/file cannot be used"):
        open_journal(JournalSettings(path=str(tmp_path / "file" / "journal.db")), clock=clock)


async def test_a_journal_of_an_older_version_is_brought_up_to_date(opened, monkeypatch):
    journal = opened()
    accepted = (await journal.accept([draft()]))[0]
    await journal.close()
    step = ("ALTER TABLE signals ADD COLUMN note TEXT",)
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, step))
    journal = opened()
    assert await journal.life(accepted.draft.id) is not None
    version = journal._writer.read(lambda db: db.execute("PRAGMA user_version").fetchone()[0])
    assert version == len(database.MIGRATIONS)


async def test_all_that_was_stored_is_there_after_a_restart(opened):
    journal = opened()
    first, second, begun = await journal.accept([draft(), draft(body="a"), draft(instrument="ETH-USDT")])
    await journal.record([outcome(first.position), outcome(begun.position, Station.PUBLISHING)])
    await journal.receive([receipt(first.draft.id)], at=START)
    lives, depth = await journal.lives(), journal.depth()
    await journal.close()
    journal = opened()
    assert await journal.lives() == lives
    assert journal.depth() == depth
    assert await journal.last_put(LANE) == {TOPIC: first.sequence}
    [waiting] = await journal.waiting(Lane("signals", "btc/ETH-USDT"), after=0, limit=1)
    assert waiting.publishing
    [again] = await journal.accept([draft(body="a")])
    assert again.of == second.draft.id
    [after] = await journal.accept([draft(at=START - 10)])
    assert (after.position, after.sequence) == (begun.position + 1, second.sequence + 1)


@pytest.mark.parametrize(("pragma", "value"), [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1)])
async def test_a_commit_is_on_disk_when_it_returns(opened, pragma, value):
    journal = opened()
    await journal.accept([draft()])
    assert journal._writer.read(lambda db: db.execute(f"PRAGMA {pragma}").fetchone()) == (value,)


async def test_a_closed_journal_stores_nothing_and_leaves_one_file(opened, tmp_path):
    journal = opened()
    await journal.accept([draft()])
    await journal.close()
    with pytest.raises(NotStored) as caught:
        await journal.accept([draft()])
    assert caught.value.cause == "stopping"
    await journal.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["journal.db", "journal.db.lock"]
