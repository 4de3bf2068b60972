"""What keeps small packets from waiting: one write for a turn of the event loop, and TCP acknowledgements at once."""

# gmqtt has no annotations
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import asyncio
import socket

from gmqtt.mqtt.connection import MQTTConnection

_DISCONNECT = 0xE0
_MOST = 65_536
"""Bytes that are held at most."""


class GatheredWrites:
    """Stands in for a connection's ``write_data``; a DISCONNECT, after which the transport is closed, does not wait."""

    def __init__(self, connection: MQTTConnection) -> None:
        self._connection = connection
        self._held = bytearray()
        self._loop = asyncio.get_running_loop()

    @classmethod
    def of(cls, connection: MQTTConnection) -> None:
        """Gather the writes of a connection."""
        connection._protocol.write_data = cls(connection).write  # type: ignore[method-assign]  # noqa: SLF001

    def write(self, data: bytes | bytearray) -> None:
        """Take the bytes of a packet."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held += data
        if data[0] == _DISCONNECT or len(self._held) > _MOST:
            self._flush()

    def _flush(self) -> None:
        held, self._held = self._held, bytearray()
        if held and not self._connection.is_closing():
            self._connection.send_package(held)


def acknowledge_at_once(connection: MQTTConnection) -> None:
    """Let TCP acknowledge what arrives without its usual pause of up to 40 ms.

    Mosquitto leaves Nagle's algorithm on (``set_tcp_nodelay``), so it holds each small packet back until the one
    before it is acknowledged. The kernel forgets TCP_QUICKACK, so it is set after every read; other systems have none.
    """
    option = getattr(socket, "TCP_QUICKACK", None)
    transport, protocol = connection._transport, connection._protocol  # noqa: SLF001
    endpoint = transport.get_extra_info("socket")
    if option is None or endpoint is None or endpoint.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    gmqtts_own = protocol._read_packet  # noqa: SLF001

    def read_packet(data: bytes) -> int:
        endpoint.setsockopt(socket.IPPROTO_TCP, option, 1)
        parsed: int = gmqtts_own(data)
        return parsed

    protocol._read_packet = read_packet  # type: ignore[method-assign]  # noqa: SLF001
