"""How full the journal and its disk are, as a reader of the metrics asks."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.journal.model import JournalSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes.

    Args:
        used: what the journal's files take.
        limit: what it may hold.
        free: what is free on its disk, for this user.
        size: the size of its disk.
    """

    used: int
    limit: int
    free: int
    size: int


def read_room(settings: JournalSettings) -> Room:
    """Ask the file system.

    Raises:
        OSError: it does not answer.
    """
    path = Path(settings.path)
    disk = os.statvfs(path.parent)
    used = 0
    for file in (path, path.with_name(f"{path.name}-wal")):
        with suppress(FileNotFoundError):
            used += file.stat().st_size
    return Room(
        used=used, limit=settings.max_bytes, free=disk.f_bavail * disk.f_frsize, size=disk.f_blocks * disk.f_frsize
    )
