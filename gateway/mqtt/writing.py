"""One write for all that is said within a turn of the event loop: each write of gmqtt's is a system call otherwise."""

# gmqtt has no annotations
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import asyncio

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
