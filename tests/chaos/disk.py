"""A disk of one's own, a file system in a file, that can be filled to the last byte."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Disk:
    """An ext4 image mounted on a folder; it stays a plain folder where this process may not mount.

    Args:
        folder: where it is mounted; the image lies beside it.
        size: bytes; the image is sparse.
    """

    def __init__(self, folder: Path, *, size: int) -> None:
        self.folder = folder
        self._image = folder.with_suffix(".ext4")
        self._ballast = folder / "ballast"
        self._size = size
        self.mounted = False

    def mount(self) -> None:
        """Make the image and mount it, or say with ``mounted`` that it is none."""
        self.folder.mkdir()
        with self._image.open("wb") as image:
            image.truncate(self._size)
        self.mounted = _succeeds("mkfs.ext4", "-q", "-m", "0", self._image) and _succeeds(
            "mount", "-o", "loop", self._image, self.folder
        )
        if not self.mounted:
            self._image.unlink()

    def unmount(self) -> None:
        """Take it away; what is on it stays in the folder."""
        if not self.mounted:
            return
        self.free()
        kept = self.folder.with_suffix(".kept")
        shutil.copytree(self.folder, kept, ignore=shutil.ignore_patterns("lost+found"))
        if _succeeds("umount", self.folder):
            self.folder.rmdir()
            self._image.unlink()
            kept.rename(self.folder)
            self.mounted = False

    def fill(self) -> None:
        """Take all the room that is left."""
        with self._ballast.open("ab") as ballast, suppress(OSError):
            room = os.statvfs(self.folder)
            os.posix_fallocate(ballast.fileno(), 0, room.f_bavail * room.f_frsize)
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)


def _succeeds(program: str, *arguments: object) -> bool:
    found = shutil.which(program, path=_PATH)
    if found is None:
        return False
    return subprocess.run([found, *map(str, arguments)], capture_output=True, check=False).returncode == 0
