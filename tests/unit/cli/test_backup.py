"""``backup`` and ``restore`` on a data folder."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.backup import archive, back_up_before_upgrade
from gateway.config.bots import read_bots
from gateway.config.emqx_logins import Pending, pending, remember, there
from gateway.config.folder import Folder
from gateway.config.load import load
from gateway.journal import JournalSettings, open_journal
from gateway.journal.database import Claim
from gateway.journal.tables import MIGRATIONS
from tests.journal_drafts import draft
from tests.unit.cli.conftest import Call


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What a gateway needs of a folder: content and mode by name."""
    kept = [folder / "signal-gateway.yml", *folder.glob("secrets/*"), *folder.glob("bots/*")]
    return {
        str(path.relative_to(folder)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in kept
        if not path.name.startswith(".")
    }


async def fill(path: Path, count: int) -> list[str]:
    """Put signals into a journal; their ids."""
    journal = open_journal(JournalSettings(path=str(path)), clock=lambda: 0)
    drafts = [draft() for _ in range(count)]
    await journal.accept(drafts)
    await journal.close()
    return [one.id for one in drafts]


def signals(path: Path) -> list[str]:
    """The ids in a journal."""
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute("SELECT id FROM signals ORDER BY position")]


@pytest.fixture
async def data(call: Call, tmp_path: Path) -> Path:
    """A data folder with three signals."""
    call("init")
    await fill(tmp_path / "data/journal/journal.db", 3)
    return tmp_path / "data"


async def test_a_restored_folder_is_what_it_was(call: Call, data: Path) -> None:
    before, ids = tree(data), signals(data / "journal/journal.db")
    made = call("backup", "b.tar.gz", "--json").json
    shutil.rmtree(data)
    restored = call("restore", "b.tar.gz", "--json").json

    assert (made["signals"], restored["signals"]) == (3, 3)
    assert tree(data) == before
    assert signals(data / "journal/journal.db") == ids
    assert stat.S_IMODE((data / "journal/journal.db").stat().st_mode) == 0o600
    assert call("check").code == 0


def test_a_backup_is_for_its_owner_alone_and_says_so(call: Call, data: Path, tmp_path: Path) -> None:
    said = call("backup", "b.tar.gz").out

    assert stat.S_IMODE((tmp_path / "b.tar.gz").stat().st_mode) == 0o600
    assert said.splitlines()[0].startswith("b.tar.gz: 3 signals and ")
    assert "It holds secrets" in said
    assert not [path for path in tmp_path.iterdir() if path.name not in {"b.tar.gz", "data"}]


def test_a_backup_is_not_written_over(call: Call, data: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("an older one")
    ended = call("backup", "b.tar.gz")

    assert ended.code == 1
    assert "Name another file" in ended.err
    assert (tmp_path / "b.tar.gz").read_text() == "an older one"


def test_what_a_backup_that_was_killed_left_is_in_nobodys_way(call: Call, data: Path, tmp_path: Path) -> None:
    (tmp_path / ".b.tar.gz.part").mkdir()
    (tmp_path / ".b.tar.gz.part" / "journal.db").write_text("half of it")

    assert call("backup", "b.tar.gz").code == 0
    assert not (tmp_path / ".b.tar.gz.part").exists()


def test_the_memories_of_bots_and_other_folders_are_not_in_it(call: Call, data: Path) -> None:
    for name in ("signal-gateway/demo/inbox.db", "demo/journal/journal.db", "b0.tar.gz"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("not the gateway's")
    made = call("backup", "b.tar.gz", "--json").json

    assert set(made["files"]) == {
        "signal-gateway.yml", "bots/demo.env", "secrets/api.token", "secrets/bots.json",
        "secrets/gateway-broker.password", "secrets/keys.json",
    }  # fmt: skip


def test_what_the_configuration_names_is_in_it_or_is_named(call: Call, data: Path, tmp_path: Path) -> None:
    (data / "near.key").write_text("k:" + "k" * 64)
    far = tmp_path / "far.url"
    far.write_text("json://127.0.0.1")
    for file in (data / "near.key", far):
        file.chmod(0o600)
    document = f"commands: {{bots: {{demo: {{key_file: near.key}}}}}}\nnotify: {{targets: [{{url_file: {far}}}]}}\n"
    with (data / "signal-gateway.yml").open("a") as configuration:
        configuration.write(document)
    made = call("backup", "b.tar.gz", "--json")

    assert made.code == 0, made.err
    assert "near.key" in made.json["files"]
    assert made.json["left_out"] == [str(far)]
    (data / "near.key").unlink()
    assert call("restore", "b.tar.gz", "--force").code == 0
    assert (data / "near.key").read_text() == "k:" + "k" * 64


def test_nobody_stays_at_an_emqx_whom_the_backup_does_not_know(call: Call, data: Path) -> None:
    remember(Folder(data, data), {"demo": "as it was", "gone": "as it was"})
    call("backup", "b.tar.gz")
    remember(Folder(data, data), {"demo": "rotated since", "newer": "added since"})
    assert call("restore", "b.tar.gz", "--force").code == 0

    assert pending({"demo": "as it was"}, there(Folder(data, data))) == Pending(put=("demo",), remove=("gone", "newer"))


@pytest.mark.parametrize("before", [{"old": "put then"}, None])
def test_what_is_put_into_an_emqx_is_known_to_be_old_also_where_one_side_knows_nothing(
    call: Call, data: Path, before: dict[str, str] | None
) -> None:
    if before:
        remember(Folder(data, data), before)
    call("backup", "b.tar.gz")
    (data / "secrets/emqx.json").write_text("broken") if before else remember(Folder(data, data), {"old": "put since"})
    call("restore", "b.tar.gz", "--force")

    assert there(Folder(data, data)) == {"old": ""}


@pytest.mark.parametrize("name", [".near.key", "sub/../near.key", "keys/near.key"])
def test_a_file_that_the_configuration_names_is_in_it_however_it_is_spelled(call: Call, data: Path, name: str) -> None:
    for folder in ("sub", "keys"):
        (data / folder).mkdir()
    (data / name).write_text("k:" + "k" * 64)
    (data / name).chmod(0o600)
    with (data / "signal-gateway.yml").open("a") as configuration:
        configuration.write(f"commands: {{bots: {{demo: {{key_file: {name}}}}}}}\n")
    assert call("backup", "b.tar.gz").code == 0
    shutil.rmtree(data)
    assert call("restore", "b.tar.gz").code == 0
    (data / "sub").mkdir(exist_ok=True)

    assert (data / name).read_text() == "k:" + "k" * 64


def test_a_file_beside_the_data_folder_is_named(call: Call, data: Path, tmp_path: Path) -> None:
    (tmp_path / "far.key").write_text("k:" + "k" * 64)
    (tmp_path / "far.key").chmod(0o600)
    with (data / "signal-gateway.yml").open("a") as configuration:
        configuration.write("commands: {bots: {demo: {key_file: ../far.key}}}\n")

    assert call("backup", "b.tar.gz", "--json").json["left_out"] == [str(tmp_path / "far.key")]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_nobody_more_can_read_a_file_that_came_back(call: Call, data: Path, mode: int) -> None:
    (data / "bots/demo.env").chmod(mode)
    call("backup", "b.tar.gz")
    call("restore", "b.tar.gz", "--force")

    assert stat.S_IMODE((data / "bots/demo.env").stat().st_mode) == mode


def test_a_gateway_without_a_journal_is_backed_up_too(call: Call, tmp_path: Path) -> None:
    call("init")
    assert call("backup", "b.tar.gz", "--json").json["signals"] == 0
    shutil.rmtree(tmp_path / "data")
    assert call("restore", "b.tar.gz").code == 0
    assert not (tmp_path / "data/journal/journal.db").exists()


async def test_a_journal_elsewhere_comes_back_where_it_was(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "disk" / "j.db"
    monkeypatch.setenv("SIGNAL_GATEWAY_JOURNAL__PATH", str(elsewhere))
    call("init")
    ids = await fill(elsewhere, 2)
    call("backup", "b.tar.gz")
    elsewhere.unlink()
    shutil.rmtree(tmp_path / "data")
    restored = call("restore", "b.tar.gz", "--json").json

    assert restored["journal"] == str(elsewhere)
    assert signals(elsewhere) == ids


async def test_a_journal_comes_back_where_the_gateway_will_look_for_it(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setenv("SIGNAL_GATEWAY_JOURNAL__PATH", str(tmp_path / "disk" / "j.db"))
        call("init")
        ids = await fill(tmp_path / "disk" / "j.db", 2)
        call("backup", "b.tar.gz")
    shutil.rmtree(tmp_path / "disk")
    shutil.rmtree(tmp_path / "data")
    call("restore", "b.tar.gz")

    assert signals(tmp_path / "data/journal/journal.db") == ids
    assert not (tmp_path / "disk").exists()


def test_nothing_that_is_there_is_replaced_unasked(call: Call, data: Path) -> None:
    call("backup", "b.tar.gz")
    before = tree(data)
    ended = call("restore", "b.tar.gz")

    assert ended.code == 1
    assert "--force" in ended.err
    assert tree(data) == before
    assert not (data / ".restore").exists()


def test_what_was_there_is_kept_aside(call: Call, data: Path, tmp_path: Path) -> None:
    call("backup", "b.tar.gz")
    call("bots", "add", "newer")
    before = tree(data)
    restored = call("restore", "b.tar.gz", "--force", "--json").json

    aside = Path(restored["replaced"])
    assert tree(tmp_path / aside) == before
    assert signals(tmp_path / aside / "journal/journal.db") == signals(data / "journal/journal.db")
    assert set(read_bots(data / "secrets/bots.json")) == {"demo"}


def test_a_gateway_that_runs_is_not_replaced_under_its_feet(call: Call, data: Path) -> None:
    call("backup", "b.tar.gz")
    before = tree(data)
    journal = open_journal(JournalSettings(path=str(data / "journal/journal.db")), clock=lambda: 0)
    try:
        ended = call("restore", "b.tar.gz", "--force")
    finally:
        journal._writer.close()
        journal._claim.release()

    assert ended.code == 1
    assert f"in use by another gateway (process {os.getpid()})" in ended.err
    assert tree(data) == before


def test_a_gateway_that_runs_with_its_journal_elsewhere_is_not_replaced(
    call: Call, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("backup", "b.tar.gz")
    monkeypatch.setenv("SIGNAL_GATEWAY_JOURNAL__PATH", str(tmp_path / "j.db"))
    journal = open_journal(JournalSettings(path=str(tmp_path / "j.db")), clock=lambda: 0)
    try:
        assert "in use by another gateway" in call("restore", "b.tar.gz", "--force").err
    finally:
        journal._writer.close()
        journal._claim.release()


def test_a_restore_that_was_cut_off_starts_no_gateway_and_is_done_again(
    call: Call, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("backup", "b.tar.gz")
    before, ids = tree(data), signals(data / "journal/journal.db")

    def cut(path: Path, target: Path) -> None:
        raise OSError(errno.EIO, "the power went")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", cut)  # the journal is there by then
        assert call("restore", "b.tar.gz", "--force").code == 4
    assert "was cut off" in call("run", "--init").err
    assert not (data / "signal-gateway.yml").exists()
    (data / ".restore" / "journal.db").write_text("half of it")
    assert call("restore", "b.tar.gz", "--force").code == 0

    assert tree(data) == before
    assert signals(data / "journal/journal.db") == ids
    assert not (data / ".restore").exists()


def test_where_something_cannot_be_moved_aside_everything_stays(
    call: Call, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("backup", "b.tar.gz")
    before, ids, move = tree(data), signals(data / "journal/journal.db"), shutil.move

    def mounted(path: Path, target: Path) -> None:
        if path.name == "bots":
            raise OSError(errno.EBUSY, "it is a mount", str(path))
        move(path, target)

    monkeypatch.setattr("gateway.backup.restoring.shutil.move", mounted)
    ended = call("restore", "b.tar.gz", "--force")

    assert ended.code == 4
    assert "bots: Device or resource busy" in ended.err or "it is a mount" in ended.err
    assert not (data / ".restore").exists()
    assert tree(data) == before
    assert signals(data / "journal/journal.db") == ids


def test_what_another_user_restores_belongs_to_the_owner_of_the_folder(
    call: Call, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("backup", "b.tar.gz")
    owner, given = data.stat(), set[Path]()

    def give(path: Path, user: int, group: int, *, follow_symlinks: bool) -> None:
        assert (user, group, follow_symlinks) == (owner.st_uid, owner.st_gid, False)
        assert not (data / "signal-gateway.yml").exists()  # which comes last
        given.add(Path(path))

    monkeypatch.setattr("gateway.backup.restoring.os.geteuid", lambda: owner.st_uid + 1)
    monkeypatch.setattr("gateway.backup.restoring.os.chown", give)
    restored = call("restore", "b.tar.gz", "--force", "--json")
    assert restored.code == 0

    stage = {str(path.relative_to(data / ".restore")) for path in given if path.is_relative_to(data / ".restore")}
    assert stage >= {f"data/{name}" for name in tree(data)} | {"journal.db"}
    assert given >= {data / "journal", data / "journal/journal.db.lock"}
    aside = data.parent / restored.json["replaced"]
    assert given >= {data / "secrets", data / "bots", aside, aside / "secrets", aside / "journal"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_does_leaves_nothing_in_the_folder_that_its_owner_cannot_use(call: Call, data: Path) -> None:
    for path in (data, *data.rglob("*")):
        os.chown(path, 10001, 10001)
    (data / "secrets/.changes.lock").unlink()
    call("backup", "b.tar.gz")
    assert (data / "secrets/.changes.lock").stat().st_uid == 10001
    assert call("restore", "b.tar.gz", "--force").code == 0

    assert [path for path in data.rglob("*") if path.lstat().st_uid != 10001] == []


def test_a_broken_configuration_is_no_reason_not_to_restore(call: Call, data: Path) -> None:
    call("backup", "b.tar.gz")
    (data / "signal-gateway.yml").write_text(": no\n  yaml")

    assert call("restore", "b.tar.gz", "--force").code == 0
    assert call("check").code == 0


@pytest.mark.parametrize("at", [0.02, 0.5, 0.98])
def test_a_damaged_backup_changes_nothing(call: Call, data: Path, tmp_path: Path, at: float) -> None:
    call("backup", "b.tar.gz")
    whole = bytearray((tmp_path / "b.tar.gz").read_bytes())
    place = int(len(whole) * at)
    whole[place : place + 8] = bytes(byte ^ 0xFF for byte in whole[place : place + 8])
    (tmp_path / "b.tar.gz").write_bytes(whole)
    before = tree(data)
    ended = call("restore", "b.tar.gz", "--force")

    assert ended.code == 1
    assert "b.tar.gz" in ended.err
    assert tree(data) == before
    assert not list(data.glob("replaced-*"))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9])
def test_half_a_backup_changes_nothing(call: Call, data: Path, tmp_path: Path, part: float) -> None:
    call("backup", "b.tar.gz")
    whole = (tmp_path / "b.tar.gz").read_bytes()
    (tmp_path / "b.tar.gz").write_bytes(whole[: int(len(whole) * part)])
    before = tree(data)

    assert call("restore", "b.tar.gz", "--force").code == 1
    assert tree(data) == before


def forge(path: Path, head: dict[str, Any] | bytes, files: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> None:
    """Write an archive as somebody else might."""
    with tarfile.open(path, "w:gz") as made:
        spelled = head if isinstance(head, bytes) else json.dumps(head).encode()
        for name, content in {"backup.json": spelled, **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.type = kind if name in files else tarfile.REGTYPE
            member.linkname = "/etc/passwd" if member.type == tarfile.SYMTYPE else ""
            made.addfile(member, io.BytesIO(content))


HEAD = {"format": 1, "gateway": "1", "made_at": 0, "journal_path": "journal/journal.db", "journal_version": None}


@pytest.mark.parametrize(
    "name", ["../outside", "data/../../outside", "/outside", "data", "other", "data/", "data/" + "a" * 200 + "\0b"]
)
def test_no_backup_writes_outside_the_folder(call: Call, tmp_path: Path, name: str) -> None:
    forge(tmp_path / "b.tar.gz", HEAD | {"files": {name: archive.digest(b"x")}}, {name: b"x"})
    ended = call("restore", "b.tar.gz")

    assert ended.code == 1
    assert "cannot be in it" in ended.err
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["b.tar.gz", "journal.db.lock"]


def test_no_backup_brings_a_link(call: Call, tmp_path: Path) -> None:
    forge(tmp_path / "b.tar.gz", HEAD | {"files": {}}, {"data/link": b""}, kind=tarfile.SYMTYPE)

    assert "cannot be in it" in call("restore", "b.tar.gz").err


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"no json", "cannot be read"),
        (b"[]", "cannot be read"),
        ({"format": 1}, "cannot be read"),
        (HEAD | {"files": {}, "journal_path": "../../j.db"}, "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (HEAD | {"files": {}, "journal_path": "a\0b"}, "cannot be read"),
        (HEAD | {"files": {}, "made_at": 10**30}, "cannot be read"),
        (HEAD | {"files": {}, "made_at": float("inf")}, "cannot be read"),
        (HEAD | {"files": {}, "format": 2}, "newer gateway"),
        (HEAD | {"files": {}, "journal_version": 99}, "journal has version 99"),
        (HEAD | {"files": {"journal.db": "0"}}, "not what it says"),
    ],
)
def test_a_head_that_is_not_ours_is_told(call: Call, tmp_path: Path, head: Any, said: str) -> None:
    forge(tmp_path / "b.tar.gz", head, {})
    ended = call("restore", "b.tar.gz")

    assert ended.code == 1
    assert said in ended.err


def test_any_other_file_is_no_backup(call: Call, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("a letter")
    assert call("restore", "b.tar.gz").code == 1
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as made:
        made.add(tmp_path / "b.tar.gz", "letter")
    assert "is no backup of a gateway" in call("restore", "c.tar.gz").err


def on_a_full_disk(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that can write no file of more than 64 KiB."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)),
    )  # fmt: skip


async def test_a_full_disk_ends_a_restore_with_a_sentence_and_changes_nothing(call: Call, data: Path) -> None:
    await fill(data / "journal/journal.db", 500)
    call("backup", "b.tar.gz")
    before, ids = tree(data), signals(data / "journal/journal.db")
    small = on_a_full_disk(data.parent, "restore", "b.tar.gz", "--force")

    assert small.returncode in {1, 4}, small.stderr
    assert small.stderr.strip()
    assert "Traceback" not in small.stderr
    assert tree(data) == before
    assert signals(data / "journal/journal.db") == ids
    assert not [*data.glob("replaced-*"), *data.glob(".restore")]


async def test_a_full_disk_ends_a_backup_with_a_sentence_and_leaves_nothing(call: Call, data: Path) -> None:
    await fill(data / "journal/journal.db", 500)
    small = on_a_full_disk(data.parent, "backup", "b.tar.gz")

    assert small.returncode in {1, 4}, small.stderr
    assert small.stderr.strip()
    assert "Traceback" not in small.stderr
    assert sorted(path.name for path in data.parent.iterdir()) == ["data"]


def make_older(journal: Path) -> None:
    """Bring a journal back to the version before."""
    with closing(sqlite3.connect(journal)) as database:
        database.execute("ALTER TABLE bots DROP COLUMN former")
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")


def test_a_start_that_fails_again_and_again_fills_no_disk_with_backups(data: Path) -> None:
    make_older(data / "journal/journal.db")
    killed = data / f"journal/backups/.1-before-journal-{len(MIGRATIONS)}.tar.gz.part"
    killed.mkdir(parents=True)
    settings = load(Folder(data, data / "signal-gateway.yml"), {})
    made = {back_up_before_upgrade(settings, version="1", now=second * 1_000_000) for second in range(3)}

    assert set((data / "journal/backups").iterdir()) == made
    assert len(made) == 1
    with closing(sqlite3.connect(data / "journal/journal.db")) as database:
        database.execute("DELETE FROM signals")
        database.commit()
    made.add(back_up_before_upgrade(settings, version="1", now=9_000_000))
    assert set((data / "journal/backups").iterdir()) == made
    assert len(made) == 2


def test_beside_a_gateway_that_runs_an_upgrade_makes_no_backup(call: Call, data: Path) -> None:
    """One for each start that is refused would fill the disk of the gateway at work."""
    make_older(data / "journal/journal.db")
    other = Claim(data / "journal/journal.db")
    ended = call("run")
    other.release()

    assert ended.code == 4
    assert "is in use by another gateway" in ended.err
    assert not (data / "journal/backups").exists()


async def test_a_journal_of_the_version_before_is_backed_up_before_it_is_changed(call: Call, data: Path) -> None:
    make_older(data / "journal/journal.db")
    ids = signals(data / "journal/journal.db")
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run"], cwd=data.parent, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("webhooks")
    process.terminate()
    _, err = process.communicate(timeout=30)
    [backup] = (data / "journal/backups").iterdir()

    assert str(backup.relative_to(data.parent)) in err
    assert signals(data / "journal/journal.db") == ids
    assert archive.read_head(backup).journal_version == len(MIGRATIONS) - 1
    assert call("restore", str(backup), "--force", "--json").json["signals"] == len(ids)
