"""The memory of commands on the disk: what it survives, and what it refuses to open."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bot_plugin import SettingsError
from bot_plugin.commands.ledger import KEEP, Entry
from bot_plugin.commands.sqlite import KIND, SqliteLedger

FINGERPRINT = b"f" * 32


class Clock:
    """A machine's monotonic clock; a restart of the machine begins it anew."""

    def __init__(self, micros: int = 0) -> None:
        self.micros = micros

    def __call__(self) -> int:
        return self.micros


async def opened(path: Path, clock: Clock, **bounds: int) -> SqliteLedger:
    ledger = SqliteLedger(path, monotonic=clock, **bounds)
    await ledger.open()
    return ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "demo.commands.db"


async def test_what_was_told_is_there_after_a_restart_of_the_machine(path: Path) -> None:
    ledger = await opened(path, Clock(9_000_000))
    await ledger.begin(b"a", FINGERPRINT, harmless=False)
    await ledger.finish(b"a", b"reply")
    await ledger.begin(b"b", FINGERPRINT, harmless=False)
    await ledger.close()

    again = await opened(path, Clock())
    assert await again.find(b"a") == Entry(fingerprint=FINGERPRINT, reply=b"reply")
    assert await again.find(b"b") == Entry(fingerprint=FINGERPRINT)
    await again.close()


async def test_a_day_passes_only_while_a_bot_has_it_open(path: Path) -> None:
    clock = Clock()
    ledger = await opened(path, clock)
    await ledger.begin(b"a", FINGERPRINT, harmless=False)
    clock.micros += KEEP // 2
    await ledger.close()

    clock = Clock(77 * KEEP)
    again = await opened(path, clock)
    clock.micros += KEEP // 2 - 1
    await again.begin(b"b", FINGERPRINT, harmless=False)
    assert await again.find(b"a") is not None
    clock.micros += 1
    await again.begin(b"c", FINGERPRINT, harmless=False)
    assert await again.find(b"a") is None
    await again.close()


async def test_the_bounds_hold_across_restarts(path: Path) -> None:
    for number in range(4):
        ledger = await opened(path, Clock(), rows=10, size=20)
        await ledger.begin(bytes([number]), FINGERPRINT, harmless=False)
        await ledger.finish(bytes([number]), b"x" * 9)
        kept = [entry.reply for each in range(number + 1) if (entry := await ledger.find(bytes([each])))]
        await ledger.close()

    assert kept == [b"", b"", b"x" * 9, b"x" * 9]


KILLED = """
import asyncio, os, sys
from pathlib import Path
from bot_plugin.commands.sqlite import SqliteLedger

async def main():
    ledger = SqliteLedger(Path(sys.argv[1]), monotonic=lambda: 0)
    await ledger.open()
    await ledger.begin(b"a", b"f" * 32, harmless=False)
    await ledger.finish(b"a", b"reply")
    await ledger.begin(b"b", b"f" * 32, harmless=False)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_what_returned_is_there_after_a_kill(path: Path) -> None:
    root = str(Path(__file__).parents[4])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], env={**os.environ, "PYTHONPATH": root}, check=False, timeout=30
    )
    ledger = await opened(path, Clock())

    assert killed.returncode == -9
    assert await ledger.find(b"a") == Entry(fingerprint=FINGERPRINT, reply=b"reply")
    assert await ledger.find(b"b") == Entry(fingerprint=FINGERPRINT)
    await ledger.close()


async def test_others_on_the_machine_cannot_read_it(path: Path) -> None:
    ledger = await opened(path, Clock())
    await ledger.begin(b"a", FINGERPRINT, harmless=False)

    assert {each.stat().st_mode & 0o077 for each in path.parent.iterdir()} == {0}
    assert path.parent.stat().st_mode & 0o077 == 0
    await ledger.close()


async def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as raised:
        await opened(path, Clock())
    return str(raised.value)


async def test_a_file_of_something_else_is_refused_and_stays_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()

    assert f"{path} is a database, but no bot's memory of commands" in await refusal(path)
    assert path.read_bytes() == before


async def test_the_file_of_a_newer_plugin_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA application_id = {KIND.application_id}")
        database.execute("PRAGMA user_version = 99")

    assert f"{path} has version 99, and this plugin knows versions up to 1" in await refusal(path)


async def test_a_damaged_file_is_refused_and_says_what_starting_without_it_means(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"SQLite format 3\0" + b"damaged" * 1_000)

    assert "the bot forgets then which commands it ran" in await refusal(path)


async def test_after_a_commit_that_failed_the_next_one_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = await opened(path, Clock())
    with monkeypatch.context() as patched:
        patched.setattr("bot_plugin.database.Database.commit", _full)
        with pytest.raises(OSError, match="full"):
            await ledger.begin(b"a", FINGERPRINT, harmless=False)
    assert await ledger.find(b"a") is None
    await ledger.begin(b"a", FINGERPRINT, harmless=False)
    assert await ledger.find(b"a") is not None
    await ledger.close()


def _full(database: object) -> None:
    raise OSError("the disk is full")
