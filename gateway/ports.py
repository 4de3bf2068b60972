"""Who holds a TCP port, as far as Linux lets this process see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"


def holder(port: int, *, proc: Path = Path("/proc")) -> str | None:
    """Name the process that listens on a port, ``nginx (pid 812)``; None where that cannot be seen."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _inodes(proc / "net" / table, port=port)}
    if not sockets:
        return None
    for process in proc.glob("[0-9]*"):
        if any(link in sockets for link in _links(process / "fd")):
            return f"{_name(process)} (pid {process.name})"
    return None


def _inodes(table: Path, *, port: int) -> Iterator[str]:
    with suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]


def _links(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        for descriptor in folder.iterdir():
            with suppress(OSError):
                yield str(descriptor.readlink())


def _name(process: Path) -> str:
    with suppress(OSError):
        return (process / "comm").read_text().strip()
    return "a process"
