"""Taken ports: who holds one, and which setting chooses another."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack

from gateway.cli.failure import Exit, Failure
from gateway.config.settings import Address, Settings
from gateway.ports import holder


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
        by = holder(address.port) or "another process"
        variable = f"SIGNAL_GATEWAY_{key.upper().replace('.', '__')}__PORT"
        return f"{address} is taken by {by}: stop it, or change {key}.port ({variable})"
    if error.errno == errno.EACCES:
        return f"{address} may not be opened by this user: change {key}.port to one above 1023"
    return f"{address} cannot be opened ({error.strerror}): change {key}.host to an address of this machine"
