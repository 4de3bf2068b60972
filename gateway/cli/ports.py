"""Taken ports: who holds one, and which setting chooses another."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from gateway.cli.failure import Exit, Failure
from gateway.config.settings import Address, Settings

_LISTEN = "0A"
_INODE = 9


def require_free_ports(settings: Settings) -> None:
    """Try every address that the gateway listens on.

    Raises:
        Failure: one is taken, or is not this machine's; with its holder and its setting.
    """
    with ExitStack() as sockets:
        for key, address in _listeners(settings):
            try:
                sockets.enter_context(_bound(address))
            except OSError as error:
                raise Failure(Exit.CONFIGURATION, _problem(key, address, error), setting=key) from None


def _listeners(settings: Settings) -> Iterator[tuple[str, Address]]:
    yield "http.public", settings.http.public
    yield "http.private", settings.http.private
    if settings.embedded:
        yield "broker", Address(settings.embedded.host, settings.embedded.port)


def _bound(address: Address) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    server = socket.socket(family, kind, protocol)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(place)
        server.listen(1)
    except OSError:
        server.close()
        raise
    return server


def _problem(key: str, address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        who = holder(address.port)
        variable = f"SIGNAL_GATEWAY_{key.upper().replace('.', '__')}__PORT"
        return f"{address} is taken{f' by {who}' if who else ''}: stop it, or change {key}.port ({variable})"
    if error.errno == errno.EACCES:
        return f"{address} may not be opened by this user: change {key}.port to one above 1023"
    return f"{address} cannot be opened ({error.strerror}): change {key}.host to an address of this machine"


def holder(port: int) -> str | None:
    """The process that listens on a port, as ``mosquitto (pid 812)``; None where this user cannot see it."""
    inodes = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(handle) in inodes for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return None


def _listening(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in map(str.split, rows):
            if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port:
                yield row[_INODE]
