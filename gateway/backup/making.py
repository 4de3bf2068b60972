"""Makes a backup: a copy of the journal at one moment, and the files beside it that a gateway needs to come back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.backup.archive import DATA, FOLDERS, JOURNAL, Head, digest, plain, read_head, write_archive
from gateway.config import Settings
from gateway.config.store import locked
from gateway.errors import Misconfigured
from gateway.journal.copying import NEWEST, Copied, copy_journal, journal_version
from gateway.journal.database import Claim

_BEFORE_UPGRADE = f"-before-journal-{NEWEST}.tar.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup.

    Args:
        file: where it is.
        bytes: its size.
        files: the names of what it has of the data folder.
        journal: what it has of the journal; None where there was none.
        left_out: what the gateway needs, and what lies elsewhere.
    """

    file: Path
    bytes: int
    files: tuple[str, ...]
    journal: Copied | None
    left_out: tuple[Path, ...]


def back_up(settings: Settings, file: Path, *, version: str, now: int) -> Made:
    """Make a backup, also while the gateway runs. The file is there when it is whole, and not before.

    Args:
        settings: the gateway's.
        file: the backup, of mode 0600.
        version: the gateway's version.
        now: microseconds since the epoch.

    Raises:
        gateway.errors.Misconfigured: the journal is damaged or cannot be read, or the file is there.
        OSError: the disk refuses.
    """
    if file.exists():
        raise Misconfigured(f"{file} is there already, and a backup is not written over. Name another file.")
    draft = file.with_name(f".{file.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    try:
        made = _make(settings, draft, file, version=version, now=now)
        (draft / "backup").rename(file)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync(file.parent)
    return made


def back_up_before_upgrade(settings: Settings, *, version: str, now: int) -> Path | None:
    """Make a backup where the journal is of an older version, which the next start changes; it is the way back.

    Raises:
        gateway.errors.Misconfigured, OSError: as ``back_up``; or another gateway has the journal.
    """
    journal = Path(settings.journal.path)
    found = journal_version(journal)
    if found is None or not 0 < found < NEWEST:
        return None
    folder = journal.parent / "backups"
    at = datetime.fromtimestamp(now // 1_000_000, UTC)
    file = folder / f"{at:%Y%m%dT%H%M%SZ}{_BEFORE_UPGRADE}"
    with ExitStack() as stack:  # beside another gateway each start that is refused would leave a backup
        stack.callback(Claim(journal).release)
        folder.mkdir(mode=0o700, exist_ok=True)
        for cut_off in folder.glob(f".*{_BEFORE_UPGRADE}.part"):
            shutil.rmtree(cut_off, ignore_errors=True)
        earlier = sorted(folder.glob(f"*{_BEFORE_UPGRADE}"))
        back_up(settings, file, version=version, now=now)
        if earlier and _is_the_same(earlier[-1], file):
            file.unlink()  # a start that fails again and again does not fill the disk
            return earlier[-1]
    return file


def _is_the_same(earlier: Path, file: Path) -> bool:
    with suppress(Misconfigured, OSError):
        return read_head(earlier).files == read_head(file).files
    return False


def _make(settings: Settings, draft: Path, file: Path, *, version: str, now: int) -> Made:
    journal, copied = Path(settings.journal.path), None
    with ExitStack() as stack:
        with suppress(OSError):  # where nothing can be written, nothing changes either
            stack.enter_context(locked(settings.folder.changes))
        data = {name: (path.read_bytes(), path.stat().st_mode & 0o777) for name, path in _files(settings)}
        if journal.exists():
            copied = copy_journal(journal, draft / JOURNAL)
    digests = {DATA + name: digest(content) for name, (content, _) in data.items()}
    root = settings.folder.root.resolve()
    inside = journal.resolve().is_relative_to(root)
    head = Head(
        gateway=version,
        made_at=now,
        journal_path=str(journal.resolve().relative_to(root) if inside else journal.absolute()),
        journal_version=copied.version if copied else None,
        files=digests | ({JOURNAL: digest(draft / JOURNAL)} if copied else {}),
    )
    write_archive(draft / "backup", head, data=data, journal=draft / JOURNAL if copied else None)
    return Made(
        file=file,
        bytes=(draft / "backup").stat().st_size,
        files=tuple(data),
        journal=copied,
        left_out=tuple(_elsewhere(settings)),
    )


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """What is taken of the data folder, by its name there."""
    root = plain(settings.folder.root)
    found = {path.relative_to(root) for folder in FOLDERS for path in (root / folder).rglob("*")}
    found = {name for name in found if not any(part.startswith(".") for part in name.parts)}
    found |= {path.relative_to(root) for path in _named(settings) if path.is_relative_to(root)}
    for name in sorted(found):
        if (root / name).is_file():
            yield name.as_posix(), root / name


def _elsewhere(settings: Settings) -> Iterator[Path]:
    root = plain(settings.folder.root)
    return (path for path in _named(settings) if not path.is_relative_to(root))


def _named(settings: Settings) -> list[Path]:
    """The configuration, and the files that it names."""
    named = [settings.folder.config, *settings.secret_files, *settings.tls_files]
    named += [settings.emqx.ca] if settings.emqx and settings.emqx.ca else []
    return [plain(path) for path in named]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
