"""What stands between a socket and amqtt, which by itself has no limits: whole packets in, permitted ones out."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from amqtt.adapters import ReaderAdapter, WriterAdapter

from gateway.mqtt.packet import published_topic, unserved

_log = logging.getLogger(__name__)

_CHUNK = 65536
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Two minutes until a host that vanished is noticed where its client asked for no keepalive."""

_CONTINUED = 0x80
_LENGTH_BYTES = 4
_AT_A_STRETCH = 64
"""Packets; amqtt makes a task of each and would read on while there are bytes."""


class PacketReader(ReaderAdapter):
    """Gives amqtt its bytes packet by packet.

    Args:
        largest: bytes of the largest packet; a larger one ends the connection before it is read, and so does a packet
            of a kind that is not served.
    """

    def __init__(self, stream: StreamReader, *, largest: int) -> None:
        self._stream = stream
        self.largest = largest
        self.gate: Callable[[], Awaitable[None]] | None = None
        """Awaited before each packet, so that a client cannot send faster than it is served."""
        self._received = bytearray()
        self._packet = memoryview(b"")
        self._heard_at = 0.0
        self._stretch = 0
        self.fault = ""
        """What the client did wrong, where that ended the connection."""
        self.silence: float | None = None
        """Seconds without a byte after which the connection ends; None for ever."""

    async def packet(self) -> bytes:
        """The next packet, whole.

        Raises:
            ConnectionResetError: the client is gone or silent, or its packet is malformed or too large.
        """
        while (size := self._size()) is None or len(self._received) < size:
            await self._receive()
        packet = bytes(self._received[:size])
        del self._received[:size]
        return packet

    def unread(self, packet: bytes) -> None:
        """Give a packet back, to be read by amqtt."""
        self._packet = memoryview(packet)

    async def read(self, n: int = -1) -> bytes:
        """Bytes of the current packet, never of two; amqtt calls it."""
        if not self._packet:
            self._packet = memoryview(await self._next())
        taken, self._packet = self._packet[:n], self._packet[n:]
        if len(taken) < n:
            raise ConnectionResetError("the packet is shorter than its fields")
        return bytes(taken)

    async def _next(self) -> bytes:
        self._stretch += 1
        if self._stretch >= _AT_A_STRETCH:
            self._stretch = 0
            await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate()
        packet = await self.packet()
        problem = unserved(packet)
        if problem is not None:
            raise self._wrong(problem)
        return packet

    def _wrong(self, fault: str) -> ConnectionResetError:
        self.fault = fault
        return ConnectionResetError(fault)

    def feed_eof(self) -> None:
        """Let the reader see the end; amqtt calls it."""
        self._stream.feed_eof()

    def _size(self) -> int | None:
        """Bytes of the packet whose head was received; None while the head is not whole."""
        size = 0
        for place in range(_LENGTH_BYTES):
            if len(self._received) < place + 2:
                return None
            byte = self._received[place + 1]
            size += (byte & ~_CONTINUED) << (7 * place)
            if byte < _CONTINUED:
                if size + place + 2 > self.largest:
                    raise self._wrong(f"a packet of {size} bytes; {self.largest} are allowed")
                return size + place + 2
        raise self._wrong("the packet's length is malformed")

    async def _receive(self) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at = self._heard_at or loop.time()
        deadline = None if self.silence is None else self._heard_at + self.silence
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._stream.read(_CHUNK)
        except TimeoutError:
            raise ConnectionResetError("the client is silent") from None
        if not data:
            raise ConnectionResetError("the client closed the connection")
        self._heard_at = loop.time()
        self._received += data


class BoundedWriter(WriterAdapter):
    """Takes amqtt's packets without ever waiting, and writes once for a turn of the event loop."""

    def __init__(self, stream: StreamWriter) -> None:
        self._stream = stream
        self._held = bytearray()
        self.backlog: Callable[[], None] = self.abort
        """Called when the client does not read as fast as it is written to."""
        self.permits: Callable[[str], bool] = _nothing
        """Asked for the topic of each PUBLISH; what is not permitted never leaves, whatever amqtt thinks."""

    def write(self, data: bytes) -> None:
        """Send a packet."""
        if self._stream.is_closing():
            return
        topic = published_topic(data)
        if topic is not None and not self.permits(topic):
            _log.error("kept a message on %r from a client that may not receive it", topic)
            return
        if not self._held:
            asyncio.get_running_loop().call_soon(self._flush)
        self._held += data
        if len(self._held) >= _CHUNK:
            self._flush()

    def probe(self) -> None:
        """Let TCP find out whether the client's host is still there."""
        endpoint = self._stream.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES.items():
            if hasattr(socket, name):  # some systems call them otherwise
                endpoint.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    async def drain(self) -> None:
        """Return at once: what may wait is bounded."""

    def get_peer_info(self) -> tuple[str, int] | None:
        """Host and port of the client."""
        peer = self._stream.get_extra_info("peername")
        return (peer[0], peer[1]) if peer else None

    def get_ssl_info(self) -> ssl.SSLObject | None:
        """Nothing: the listener has no client certificates."""
        return None

    async def close(self) -> None:
        """Send what waits and close, without waiting for it."""
        self._flush()
        self._stream.close()

    async def end(self, *, within: float) -> None:
        """Send what waits and close; a client that has not read it after so many seconds will not get it."""
        await self.close()
        try:
            async with asyncio.timeout(within):
                await self.closed()
        except TimeoutError:
            self.abort()

    async def closed(self) -> None:
        """Return when the connection has ended, however it did."""
        with suppress(OSError):
            await asyncio.shield(self._stream.wait_closed())  # a cancelled one would cancel all others

    @property
    def waiting(self) -> int:
        """Bytes that the client has not read yet, beyond what its socket takes."""
        return 0 if self._stream.is_closing() else self._stream.transport.get_write_buffer_size()

    @property
    def closing(self) -> bool:
        """Whether the connection has ended, or is about to."""
        return self._stream.is_closing()

    def abort(self) -> None:
        """Close now."""
        self._stream.transport.abort()

    def _flush(self) -> None:
        held, self._held = self._held, bytearray()
        if held and not self._stream.is_closing():
            self._stream.write(held)
            if self._stream.transport.get_write_buffer_size():
                self.backlog()


async def while_open(writer: BoundedWriter, serving: Coroutine[Any, Any, None], *, goodbye: float) -> None:
    """Let amqtt serve a connection; one that was cut before amqtt read from it would keep amqtt for ever.

    Args:
        writer: the connection.
        serving: what amqtt does with it.
        goodbye: seconds that amqtt gets to notice the end.
    """
    served, closed = asyncio.ensure_future(serving), asyncio.ensure_future(writer.closed())
    try:
        await asyncio.wait({served, closed}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({served}, timeout=goodbye)
    finally:
        for task in (served, closed):
            task.cancel()
        await asyncio.wait({served, closed})
    if not served.cancelled():
        served.result()


def _nothing(_: str) -> bool:
    return False
