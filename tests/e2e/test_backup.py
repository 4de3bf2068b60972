"""A backup made under load, and what comes of it: what was answered before it is there, and nothing runs twice."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from gateway.backup.archive import read_head
from gateway.config.folder import Folder
from gateway.config.store import locked
from gateway.journal.tables import MIGRATIONS
from tests.e2e.deployment import until
from tests.e2e.test_alert_to_callback import BASES, alert, burst

pytestmark = pytest.mark.more


def leave(base: str = "BTC") -> bytes:
    """An exit."""
    return alert(base, action="sell", market_position="flat", prev_market_position="long")


def ids_in(journal: Path) -> set[str]:
    """The signals of a journal."""
    with closing(sqlite3.connect(journal)) as database:
        return {row[0] for row in database.execute("SELECT id FROM signals")}


def spawn_backup(deployment, file: Path) -> subprocess.Popen[bytes]:
    """A backup that is being made."""
    return subprocess.Popen([sys.executable, "-m", "gateway", "backup", str(file), "--data", str(deployment.data)])


def stations(deployment, id_: str) -> list[str]:
    """Where a signal's deliveries stand."""
    return [delivery["station"] for delivery in deployment.api(f"signals/{id_}")["deliveries"]]


class Load:
    """Alerts without an end; ``answered`` grows as the gateway answers."""

    def __init__(self, deployment) -> None:
        self.answered: list[str] = []
        self._deployment = deployment
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: len(self.answered) > 200)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            bodies = [("patient", leave(BASES[(number + more) % 10])) for more in range(50)]
            self.answered += await burst(self._deployment, bodies)
            number += 50


def test_under_load_a_backup_has_all_that_was_answered_before_it(deploy, external, tmp_path):
    deployment = deploy(sources={"patient": {}}, external=external)
    bot = deployment.start_bot("bot-a")
    with Load(deployment) as load:
        before = list(load.answered)
        made = deployment.cli("backup", str(tmp_path / "b.tar.gz"), "--json")
        at_the_end = len(load.answered)
        until(lambda: len(load.answered) > at_the_end + 200)  # it goes on as if nothing had been
    everything = list(load.answered)
    until(lambda: len(bot.handled()) >= len(everything), within=60)
    deployment.stop_gateway()
    restored = deployment.cli("restore", str(tmp_path / "b.tar.gz"), "--force", "--json")

    assert len(before) <= made["signals"] == restored["signals"] < len(everything)
    assert set(before) <= ids_in(deployment.data / "journal" / "journal.db") <= set(everything)
    deployment.start_gateway()
    for id_ in (before[0], before[-1]):
        assert deployment.api(f"signals/{id_}")["id"] == id_
    after = [deployment.post("patient", leave(base))[1]["id"] for base in BASES]
    until(lambda: {entry["id"] for entry in bot.handled()} >= {*everything, *after}, within=60)
    assert Counter(entry["id"] for entry in bot.handled()) == Counter([*everything, *after])


def test_a_backup_that_is_killed_leaves_no_backup_and_a_gateway_that_goes_on(deploy, tmp_path):
    deployment = deploy(sources={"patient": {}}, external=False)
    file = tmp_path / "b.tar.gz"
    with Load(deployment) as load:
        killed = 0
        while killed < 5:
            process = spawn_backup(deployment, file)
            until(lambda process=process: (tmp_path / ".b.tar.gz.part").exists() or process.poll() is not None)
            process.send_signal(signal.SIGKILL)
            killed += process.wait(timeout=20) == -signal.SIGKILL
            if file.exists():
                read_head(file)  # it is whole
                file.unlink()
        answered = len(load.answered)
        until(lambda: len(load.answered) > answered + 200)
        before = list(load.answered)
        made = deployment.cli("backup", str(file), "--json")

    assert made["signals"] >= len(before)
    assert [path.name for path in tmp_path.iterdir() if "b.tar.gz" in path.name] == ["b.tar.gz"]


def test_a_gateway_that_is_killed_during_a_backup_spoils_neither(deploy, tmp_path):
    deployment = deploy(sources={"patient": {}}, external=False)
    with Load(deployment) as load:
        before = list(load.answered)
    with locked(Folder(deployment.data, deployment.data / "signal-gateway.yml").changes):  # it waits for this
        process = spawn_backup(deployment, tmp_path / "b.tar.gz")
        until((tmp_path / ".b.tar.gz.part").exists)
        deployment.stop_gateway(signal.SIGKILL)
    assert process.wait(timeout=60) == 0
    deployment.start_gateway()
    assert {deployment.api(f"signals/{id_}")["id"] for id_ in before[-5:]} == set(before[-5:])
    deployment.stop_gateway()
    deployment.cli("restore", str(tmp_path / "b.tar.gz"), "--force", "--json")

    assert set(before) <= ids_in(deployment.data / "journal" / "journal.db")


def test_after_a_restore_nothing_runs_twice_or_late_or_although_it_was_stopped_since(deploy, external, tmp_path):
    sources = {"patient": {"ttl": {"open": "10m"}}, "brief": {"ttl": {"reduce": "4s"}}}
    deployment = deploy(sources=sources, external=external)
    exits = [deployment.post("patient", leave(base))[1]["id"] for base in BASES]
    entries = [deployment.post("patient", alert("UNI"))[1]["id"] for _ in range(3)]
    brief, began = deployment.post("brief", leave())[1]["id"], time.monotonic()
    made = deployment.cli("backup", str(tmp_path / "b.tar.gz"), "--json")
    for id_ in entries:
        deployment.cli("withdraw", id_, "--json")
    bot = deployment.start_bot("bot-a")
    until(lambda: {entry["id"] for entry in bot.handled()} >= set(exits))
    since = [deployment.post("patient", leave(base))[1]["id"] for base in BASES]
    until(lambda: {entry["id"] for entry in bot.handled()} >= set(since))
    handled_before = Counter(entry["id"] for entry in bot.handled())
    deployment.stop_gateway(signal.SIGKILL)
    until(lambda: time.monotonic() - began > 5)
    login = shutil.copy(deployment.data / "secrets" / "bots.json", tmp_path / "bots.json")
    restored = deployment.cli("restore", str(tmp_path / "b.tar.gz"), "--force", "--json")
    shutil.copy(login, deployment.data / "secrets" / "bots.json")  # the bot was given its login after the backup
    deployment.start_gateway()

    assert (made["signals"], restored["going_on"], restored["ended"]) == (14, 11, 3)
    for id_ in exits:
        until(lambda id_=id_: stations(deployment, id_) == ["receipted"], within=40)
    until(lambda: stations(deployment, brief)[0] in {"expired", "unheard"})
    assert [stations(deployment, id_) for id_ in entries] == [["unknown"]] * 3
    assert "restored from a backup" in deployment.api(f"signals/{entries[0]}")["deliveries"][0]["reason"]
    after = [deployment.post("patient", leave(base))[1]["id"] for base in BASES]
    until(lambda: {entry["id"] for entry in bot.handled()} >= set(after), within=40)
    handled = Counter(entry["id"] for entry in bot.handled())
    assert handled == handled_before + Counter(after)
    assert set(handled.values()) == {1}


def test_an_upgrade_of_a_gateway_at_work_loses_nothing_and_can_be_taken_back(deploy, tmp_path):
    deployment = deploy(sources={"patient": {}}, external=False)
    ids = [deployment.post("patient", leave(base))[1]["id"] for base in BASES]
    deployment.stop_gateway()
    journal = deployment.data / "journal" / "journal.db"
    with closing(sqlite3.connect(journal)) as older:
        older.execute("ALTER TABLE bots DROP COLUMN former")
        older.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
    deployment.start_gateway()
    bot = deployment.start_bot("bot-a")
    until(lambda: {entry["id"] for entry in bot.handled()} == set(ids))
    deployment.stop_gateway()
    [backup] = (journal.parent / "backups").iterdir()
    login = shutil.copy(deployment.data / "secrets" / "bots.json", tmp_path / "bots.json")
    restored = deployment.cli("restore", str(backup), "--force", "--json")
    shutil.copy(login, deployment.data / "secrets" / "bots.json")

    assert restored["signals"] == restored["going_on"] == len(ids)
    deployment.start_gateway()
    for id_ in ids:
        until(lambda id_=id_: stations(deployment, id_) == ["receipted"], within=40)
    assert Counter(entry["id"] for entry in bot.handled()) == Counter(ids)
