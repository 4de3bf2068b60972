"""Puts a backup back: unpacked and checked beside what is there, which moves aside, and then takes its place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.backup.archive import DATA, FOLDERS, JOURNAL, Head, plain, read_head, unpack
from gateway.config.emqx_logins import doubt
from gateway.config.folder import CONFIG, Folder
from gateway.config.load import load
from gateway.errors import Misconfigured
from gateway.journal.copying import NEWEST, Adopted, Copied, adopt_copy, check_copy
from gateway.journal.database import Claim
from schemas.fields import from_micros, instant_text

_STAGE = ".restore"
_BEGUN = "begun"
"""What is in the stage from when the first file moves."""

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


def require_whole(folder: Folder) -> None:
    """Make sure that no restore was cut off in the middle.

    Raises:
        gateway.errors.Misconfigured: one was, and half of a gateway is there.
    """
    if (folder.root / _STAGE / _BEGUN).exists():
        raise Misconfigured(
            f"A restore into {folder.root} was cut off, and half of the backup is there. Do it again: signal-gateway "
            "restore FILE --force. What was there before is in the first of its folders replaced-TIME."
        )


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
    with ExitStack() as claims, ExitStack() as stack:
        claimed = {Folder(root, folder.config).journal.resolve(), *_present_journal(folder, environ)}
        for path in claimed:
            claims.callback(Claim(path).release)
        stage = root / _STAGE
        begun = (stage / _BEGUN).exists()
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        if begun:
            (stage / _BEGUN).touch()
        else:
            stack.callback(shutil.rmtree, stage, ignore_errors=True)
        head = unpack(file, stage)
        journal = _journal_to_be(head, stage, root, folder, environ)
        if journal not in claimed:
            claims.callback(Claim(journal).release)
        doubt(Folder(stage / DATA, folder.config), Folder(root, folder.config))
        names = [path.relative_to(stage / DATA).as_posix() for path in _all(stage / DATA) if path.is_file()]
        there = list(_there(root, journal, names))
        if there and not force:
            raise Misconfigured(
                f"There is a gateway's data already: {there[0]}. Restore into an empty folder, or move it aside with "
                "--force."
            )
        copied, adopted = _adopt(file, head, stage, now=now)
        (stage / _BEGUN).touch()
        replaced = _move_aside(root, there, now=now)
        stack.pop_all()  # from here on it is done to its end, or again
        folders = _make_folders(root, names)
        _give_to_owner(root, [*folders, *_beside(journal, root), *_all(stage), *(_all(replaced) if replaced else ())])
        _put(stage, root, journal, names)
        shutil.rmtree(stage)
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
        (stage / DATA / name).rename(root / name)
    os.sync()


def _make_folders(root: Path, names: Iterable[str]) -> list[Path]:
    """Make the folders of files, each for its owner alone."""
    folders = sorted({folder for name in names for folder in (root / name).parents if folder.is_relative_to(root)})
    for folder in folders:
        folder.mkdir(mode=0o700, exist_ok=True)
    return folders[1:]


def _present_journal(folder: Folder, environ: Mapping[str, str]) -> Iterator[Path]:
    """Where the gateway that is there has its journal, as far as its configuration can be read."""
    if folder.config.exists():
        try:
            yield Path(load(folder, environ).journal.path).resolve()
        except (Misconfigured, OSError):
            yield folder.journal.resolve()


def _journal_to_be(head: Head, stage: Path, root: Path, folder: Folder, environ: Mapping[str, str]) -> Path:
    """Where the gateway that comes back looks for its journal; as its backup says where it would not start."""
    data = stage / DATA
    place, of = plain(folder.config), plain(folder.root)
    inside = place.is_relative_to(of) and (data / place.relative_to(of)).exists()
    config = data / place.relative_to(of) if inside else place
    try:
        path = Path(load(Folder(data, config), environ).journal.path)
    except (Misconfigured, OSError):
        path = Path(head.journal_path)
    if path.is_relative_to(data):
        path = path.relative_to(data)
    return (root / path).resolve()


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


def _give_to_owner(root: Path, made: Iterable[Path]) -> None:
    """Let everything belong to whom the data folder belongs, where another user, root, restores it."""
    owner = root.stat()
    if owner.st_uid == os.geteuid():
        return
    for path in made:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _all(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def _beside(journal: Path, root: Path) -> Iterator[Path]:
    """What claiming a journal made."""
    yield journal.with_name(f"{journal.name}.lock")
    if journal.is_relative_to(root):
        yield journal.parent
