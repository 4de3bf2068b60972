"""A backup is what was put into it, or is refused, however it was damaged."""

from __future__ import annotations

import gzip
import shutil
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.backup.archive import DATA, JOURNAL, Head, digest, unpack, write_archive
from gateway.errors import Misconfigured

FILES = {"signal-gateway.yml": (b"sources: {}\n" * 40, 0o644), "secrets/keys.json": (b"{}", 0o600)}
COPY = bytes(range(256)) * 64


def written(folder: Path) -> Path:
    """A whole backup."""
    (folder / "copy").write_bytes(COPY)
    digests = {DATA + name: digest(content) for name, (content, _) in FILES.items()} | {JOURNAL: digest(COPY)}
    head = Head(gateway="1", made_at=0, journal_path="journal/journal.db", journal_version=3, files=digests)
    write_archive(folder / "whole", head, data=FILES, journal=folder / "copy")
    return folder / "whole"


with tempfile.TemporaryDirectory() as _folder:
    WHOLE = written(Path(_folder)).read_bytes()
PLAIN = gzip.decompress(WHOLE)


def contents(folder: Path) -> dict[str, bytes]:
    """What was unpacked."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def unpacked(archive: bytes) -> dict[str, bytes] | None:
    """What comes out of an archive; None where it is refused. Nothing comes to lie elsewhere."""
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "archive").write_bytes(archive)
        (folder / "stage").mkdir()
        try:
            unpack(folder / "archive", folder / "stage")
        except Misconfigured:
            return None
        finally:
            assert {path.name for path in folder.iterdir()} == {"archive", "stage"}
        return contents(folder / "stage")
    finally:
        shutil.rmtree(folder)


EXPECTED = {DATA + name: content for name, (content, _) in FILES.items()} | {JOURNAL: COPY}


def damaged(whole: bytes, at: float, change: bytes) -> bytes:
    """Bytes with some others written over them."""
    place = int(at * (len(whole) - 1))
    return whole[:place] + change + whole[place + len(change) :]


def test_a_whole_backup_comes_back_as_it_was() -> None:
    assert unpacked(WHOLE) == EXPECTED


@given(st.floats(0, 1), st.binary(min_size=1, max_size=8))
def test_bytes_of_the_file_that_changed_never_come_back_as_if_they_were_right(at: float, change: bytes) -> None:
    assert unpacked(damaged(WHOLE, at, change)) in (None, EXPECTED)


@given(st.floats(0, 1), st.binary(min_size=1, max_size=8))
def test_bytes_in_the_file_that_changed_never_come_back_as_if_they_were_right(at: float, change: bytes) -> None:
    assert unpacked(gzip.compress(damaged(PLAIN, at, change), 1)) in (None, EXPECTED)


@given(st.floats(0, 1))
def test_a_file_that_was_cut_off_is_refused_or_whole(at: float) -> None:
    assert unpacked(WHOLE[: int(at * len(WHOLE))]) in (None, EXPECTED)


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused(content: bytes) -> None:
    assert unpacked(content) is None
    assert unpacked(gzip.compress(content)) is None
