"""A backup as a file: a compressed tar with a list of what is in it at its head. Older gateways read it as well."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any

from gateway.errors import Misconfigured
from schemas.fields import from_micros

FORMAT = 1
JOURNAL = "journal.db"
DATA = "data/"
FOLDERS = ("secrets", "bots")
"""The data folder's folders that are in a backup. Bots' memories are not: of an older one, signals would run again."""

_HEAD = "backup.json"
_PRIVATE = 0o600
_OTHERS = 0o044
"""Of what others may do with a file, all that comes back: they read it, if they did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a backup says of itself.

    Args:
        gateway: the version of the gateway that made it.
        made_at: microseconds since the epoch.
        journal_path: where its journal was: relative to the data folder where it was in there.
        journal_version: the version of the journal's schema; None where there was no journal.
        files: by name in the archive, the SHA-256 of its content.
    """

    gateway: str
    made_at: int
    journal_path: str
    journal_version: int | None
    files: Mapping[str, str]


def write_archive(path: Path, head: Head, *, data: Mapping[str, tuple[bytes, int]], journal: Path | None) -> None:
    """Write a backup, and return when it is on the disk.

    Args:
        path: the file, which is made.
        head: what it says of itself.
        data: by name below the data folder, content and mode.
        journal: the copy of the journal.

    Raises:
        OSError: the disk refuses.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
            spelled = json.dumps({"format": FORMAT, **asdict(head)}, indent=1).encode()
            _add(archive, _HEAD, BytesIO(spelled), size=len(spelled), at=head.made_at)
            for name, (content, mode) in data.items():
                _add(archive, DATA + name, BytesIO(content), size=len(content), at=head.made_at, mode=mode)
            if journal is not None:
                with journal.open("rb") as copy:
                    _add(archive, JOURNAL, copy, size=journal.stat().st_size, at=head.made_at)
        file.flush()
        os.fsync(file.fileno())


def plain(path: Path) -> Path:
    """A path from the root, without ``..``, and with links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute leaves ``..``


def digest(content: bytes | Path) -> str:
    """The SHA-256 of some bytes, or of a file's."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_head(path: Path) -> Head:
    """What a backup says of itself.

    Raises:
        gateway.errors.Misconfigured: it is no backup, a damaged one, or one that this gateway cannot read.
    """
    with _opened(path) as archive:
        return _head(path, archive)


def unpack(path: Path, into: Path) -> Head:
    """Unpack a backup into an empty folder, as files of this user.

    Raises:
        gateway.errors.Misconfigured: it is no backup, a damaged one, or one that this gateway cannot read.
        OSError: the disk refuses.
    """
    with _opened(path) as archive:
        head = _head(path, archive)
        unpacked = {}
        while (member := archive.next()) is not None:
            unpacked[member.name] = _unpack(path, archive, member, into=into)
    if unpacked != dict(head.files):
        raise _damaged(path, "what is in it is not what it says")
    return head


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], *, size: int, at: int, mode: int = _PRIVATE) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, mode, at // 1_000_000
    archive.addfile(member, content)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    with gzip.open(path) as file:
        try:
            with tarfile.open(fileobj=file, mode="r|") as archive:
                yield archive
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise _damaged(path, str(error) or type(error).__name__) from error


def _head(path: Path, archive: tarfile.TarFile) -> Head:
    first = archive.next()
    content = archive.extractfile(first) if first is not None and first.name == _HEAD and first.isreg() else None
    if content is None:
        raise Misconfigured(f"{path} is no backup of a gateway. signal-gateway backup FILE makes one.")
    try:
        said: dict[str, Any] = json.loads(content.read())
        if said.pop("format") != FORMAT:
            raise Misconfigured(f"The backup {path} was made by a newer gateway. Restore it with that one.")
        return _checked(Head(**said))
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise _damaged(path, "its head cannot be read") from error


def _checked(head: Head) -> Head:
    from_micros(int(head.made_at))
    wild = ".." in PurePosixPath(head.journal_path).parts or "\0" in head.journal_path
    if wild or not isinstance(head.journal_version, int | None):
        raise ValueError(head)
    return replace(head, made_at=int(head.made_at), files=dict(head.files))


def _unpack(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo, *, into: Path) -> str:
    """Write one file, and return the digest of its content. Only names of this form can be in a backup."""
    name = PurePosixPath(member.name)
    inside = member.name == JOURNAL or (member.name.startswith(DATA) and len(name.parts) > 1)
    content = archive.extractfile(member) if member.isreg() else None
    if content is None or not inside or ".." in name.parts or "\0" in member.name:
        raise _damaged(path, f"{member.name!r} cannot be in it")
    target = into / name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = _PRIVATE | (member.mode & _OTHERS)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        while portion := content.read(1 << 20):
            file.write(portion)
        file.flush()
        os.fsync(file.fileno())
    return digest(target)


def _damaged(path: Path, why: str) -> Misconfigured:
    return Misconfigured(f"The backup {path} is damaged, and nothing was changed: {why}. Take an older one.")
