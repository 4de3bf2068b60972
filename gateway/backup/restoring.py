"""Puts a backup back: unpacked and checked beside what is there, which moves aside, and then takes its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.backup.archive import DATA, FOLDERS, JOURNAL, Head, read_head, unpack
from gateway.config.folder import CONFIG, Folder
from gateway.config.load import load
from gateway.errors import Misconfigured
from gateway.journal.copying import NEWEST, Adopted, Copied, adopt_copy, check_copy
from gateway.journal.database import Claim
from schemas.fields import from_micros, instant_text

_STAGE = ".restore"
_BESIDE = ("", "-wal", "-shm")
"""The endings of a journal's files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A backup that is back.

    Args:
        head: what it said of itself.
        journal: what its journal has; None where it had none.
        adopted: what becomes of what was not settled; None without a journal.
        journal_at: where the journal is now.
        replaced: where what was there before is now; None where there was nothing.
    """

    head: Head
    journal: Copied | None
    adopted: Adopted | None
    journal_at: Path
    replaced: Path | None


def restore(file: Path, folder: Folder, environ: Mapping[str, str], *, force: bool, now: int) -> Restored:
    """Put a backup into a data folder.

    Args:
        file: the backup.
        folder: the data folder, which is made where it is missing.
        environ: the environment, which may say where the journal that is there is.
        force: move aside what is there.
        now: microseconds since the epoch.

    Raises:
        gateway.errors.Misconfigured: it is no backup, or damaged, or of a newer gateway; a gateway runs; something is
            there. Nothing was changed then.
        OSError: the disk refuses.
    """
    head = read_head(file)
    if head.journal_version is not None and head.journal_version > NEWEST:
        raise Misconfigured(
            f"The backup {file} was made by signal-gateway {head.gateway}, whose journal has version "
            f"{head.journal_version}; this gateway knows versions up to {NEWEST}. Restore it with that one."
        )
    folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = folder.root.resolve()
    journal = (root / head.journal_path).resolve()  # an absolute one stays what it is
    with ExitStack() as stack:
        for path in {journal, *_present_journal(folder, environ)}:
            stack.callback(Claim(path).release)
        stage = root / _STAGE
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        stack.callback(shutil.rmtree, stage, ignore_errors=True)
        head = unpack(file, stage)
        names = [name.removeprefix(DATA) for name in head.files if name.startswith(DATA)]
        there = list(_there(root, journal, names))
        if there and not force:
            raise Misconfigured(
                f"There is a gateway's data already: {there[0]}. Restore into an empty folder, or move it aside with "
                "--force."
            )
        copied, adopted = _adopt(file, head, stage, now=now)
        _give_to_owner(root, stage, journal)
        replaced = _move_aside(root, there, now=now)
        _put(stage, root, journal, names)
    return Restored(head=head, journal=copied, adopted=adopted, journal_at=journal, replaced=replaced)


def _adopt(file: Path, head: Head, stage: Path, *, now: int) -> tuple[Copied | None, Adopted | None]:
    if JOURNAL not in head.files:
        return None, None
    copied = check_copy(stage / JOURNAL, of=file)
    reason = f"restored from a backup made at {instant_text(from_micros(head.made_at))}: what became of it since"
    return copied, adopt_copy(stage / JOURNAL, reason=f"{reason} is not known", now=now)


def _put(stage: Path, root: Path, journal: Path, names: Iterable[str]) -> None:
    """Move everything to its place, the configuration last: half a folder does not start."""
    if (stage / JOURNAL).exists():
        shutil.move(stage / JOURNAL, journal)
    for name in sorted(names, key=lambda name: name == CONFIG):
        target = root / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (stage / DATA / name).rename(target)
    os.sync()


def _present_journal(folder: Folder, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where the gateway that is there has its journal, as far as its configuration can be read."""
    if folder.config.exists():
        try:
            yield Path(load(folder, environ).journal.path).resolve()
        except (Misconfigured, OSError):
            yield folder.journal.resolve()


def _there(root: Path, journal: Path, names: Iterable[str]) -> Iterator[Path]:
    """What a backup takes the place of, the configuration first."""
    folders = [root / folder for folder in FOLDERS]
    files = [journal.with_name(journal.name + ending) for ending in _BESIDE]
    files += [root / name for name in names if not any((root / name).is_relative_to(folder) for folder in folders)]
    for path in dict.fromkeys([root / CONFIG, *folders, *files]):
        if path.exists():
            yield path


def _move_aside(root: Path, there: Iterable[Path], *, now: int) -> Path | None:
    """Move what is there, by its place in the data folder, into a folder of its own, or nothing; where that is."""
    at = datetime.fromtimestamp(now / 1_000_000, UTC)
    aside = root / f"replaced-{at:%Y%m%dT%H%M%S.%fZ}"
    with ExitStack() as back:
        for path in there:
            name = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
            (aside / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.move(path, aside / name)
            back.callback(shutil.move, aside / name, path)
        back.pop_all()
    return aside if aside.exists() else None


def _give_to_owner(root: Path, stage: Path, journal: Path) -> None:
    """Let everything belong to whom the data folder belongs, where another user, root, restores it."""
    owner = root.stat()
    if owner.st_uid == os.geteuid():
        return
    made = [stage, *stage.rglob("*"), journal.with_name(f"{journal.name}.lock")]
    made += [journal.parent] if journal.is_relative_to(root) else []
    for path in made:
        os.chown(path, owner.st_uid, owner.st_gid)
