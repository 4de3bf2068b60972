"""Processes that are killed and started again, and disks that fill up."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from tests.brokers import eventually
from tests.chaos.disk import Disk
from tests.chaos.watched import Watched


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_a_killed_process_stays_away_until_it_is_started_and_its_kill_is_counted():
    watched = Watched("sleeper", sleeper)
    watched.start()
    first = watched.memory
    watched.pause()
    watched.kill()
    away = watched.memory
    watched.start()
    second = watched.memory
    watched.kill()

    assert away is None
    assert first is not None
    assert second is not None
    assert first[0] != second[0]
    assert watched.kills == 2
    assert watched.ended() is None


async def test_a_process_that_ended_by_itself_is_told_once_and_can_be_started_again():
    watched = Watched("brief", lambda: subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]))
    watched.start()

    await eventually(lambda: watched.ended() == 3)

    assert watched.ended() is None
    assert watched.exits == [3]


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "disk", size=16 << 20)
    made.mount()
    yield made
    made.unmount()


def test_a_full_disk_takes_nothing_more_until_it_is_freed_and_keeps_its_files_when_it_is_taken_away(disk):
    if not disk.mounted:  # this process may not: what a run uses then is a plain folder, and it fills nothing
        assert disk.folder.is_dir()
        assert not disk.folder.with_suffix(".ext4").exists()
        return

    (disk.folder / "before").write_text("kept")
    disk.fill()
    with pytest.raises(OSError) as raised:
        (disk.folder / "full").write_bytes(bytes(4096))
    disk.free()
    (disk.folder / "after").write_bytes(bytes(4096))
    disk.unmount()

    assert raised.value.errno == errno.ENOSPC
    assert {"before", "after"} <= {path.name for path in disk.folder.iterdir()}
    assert not disk.folder.with_suffix(".ext4").exists()
