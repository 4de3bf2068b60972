"""Files that hold secrets: written whole or not at all, by one process at a time, and readable by their owner only."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from gateway.errors import Misconfigured

_log = logging.getLogger(__name__)

T = TypeVar("T")

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700


def write(path: Path, text: str, *, mode: int | None = None) -> None:
    """Replace a file's content so that a reader, or a crash, meets the old one or the new one.

    Args:
        path: the file.
        text: its whole content.
        mode: permission bits; None keeps those of the file that is there and makes a new one private.
    """
    before = path.stat() if path.exists() else None
    bits = mode if mode is not None else before.st_mode & 0o777 if before else PRIVATE
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), bits)
            if before:
                with suppress(PermissionError):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, document: Any) -> None:
    """Replace a private JSON file."""
    write(path, json.dumps(document, indent=1, sort_keys=True) + "\n", mode=PRIVATE)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file; empty where it is missing.

    Raises:
        Misconfigured: the file cannot be read, or holds no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"{path}: is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"{path}: is not a JSON object")
    return document


def read_secret(path: Path) -> str | None:
    """Read a file that holds one secret; None where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def require_writable(path: Path) -> None:
    """Make sure that a file can be written later, before what cannot be undone.

    Raises:
        Misconfigured: it cannot.
    """
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise Misconfigured(f"{path}: cannot be written: name a file in a folder that is there and yours")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes that would change a file out until the block ends."""
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    handle = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        if os.geteuid() == 0:  # who may write into the folder goes on being able to lock it
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


Signature = tuple[int, int, int] | None


def signature(path: Path) -> Signature:
    """What differs when a file was replaced; None where there is none."""
    try:
        stat = os.stat(path)  # noqa: PTH116  asked on every request: half the time of Path.stat
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


class Watched(Generic[T]):
    """A file that is read again whenever it changed; while it cannot be read, what was read before stays valid.

    Args:
        path: the file.
        read: reads it; raises Misconfigured.
        take: gets what was read.
        every: seconds within which one look at the file is enough.
    """

    def __init__(self, path: Path, *, read: Callable[[Path], T], take: Callable[[T], None], every: float = 0.0) -> None:
        self._path = path
        self._read = read
        self._take = take
        self._every = every
        self._next = 0.0
        self._seen: Signature | object = object()

    def look(self) -> None:
        """Read the file where it changed since the last look."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        found = signature(self._path)
        if found == self._seen:
            return
        self._seen = found
        try:
            content = self._read(self._path)
        except Misconfigured as error:
            _log.error("%s; what was read before stays valid", error)  # the text says it all
        else:
            self._take(content)
