"""A bare client that examines a broker: one connection, every answer of the broker as it is, nothing made again.

The link through gmqtt hides what an examination asks for: which code a broker answers with, what it kept, and that it
keeps silent. Every wait has a deadline.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from gateway.mqtt import frames
from gateway.mqtt.frames import Heard
from gateway.mqtt.model import LinkLost, LinkSettings, Version
from gateway.mqtt.publishing import Publish
from gateway.mqtt.reasons import in_words, read_reason

_KEEPALIVE = 60
_RECEIVE_MAXIMUM = 200
_WINDOW = 8
"""Publishes in flight where the broker does not say how many it takes."""

_WIDEST = 64

_LARGEST = 4_194_304
_LENGTH_BYTES = 4
_MOST_HEARD = 5_000
_LAST_PACKET_ID = 65_000
_GOODBYE = 1.0
_LISTEN = 30.0
"""Seconds; where something is always being said, it is listened to no longer."""


class Unanswered(ConnectionError):
    """The broker has the connection and keeps silent."""

    def __init__(self, what: str, *, within: float) -> None:
        super().__init__(f"the broker did not answer {what} within {within:g} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A broker's CONNACK; ``told`` are its properties by their names in gmqtt."""

    code: int
    session_present: bool = False
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the client is in."""
        return self.code == 0


class Probe:
    """One connection.

    Args:
        within: seconds that the broker has for each answer.
    """

    def __init__(self, reader: StreamReader, writer: StreamWriter, *, version: Version, within: float) -> None:
        self._reader, self._writer = reader, writer
        self._version = version
        self._within = within
        self._packet_id = 0
        self._window = _WINDOW
        self._heard: list[Heard] = []

    @property
    def peer(self) -> str:
        """The IP address of the broker.

        Raises:
            LinkLost: it closed the connection at once.
        """
        name = self._writer.get_extra_info("peername")
        if name is None:
            raise LinkLost("the broker closed the connection")
        return str(name[0])

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The broker's certificate; empty without TLS."""
        return self._writer.get_extra_info("peercert") or {}

    async def greet(
        self, client_id: str, login: tuple[str, str] | None, *, clean: bool = True, session_expiry: int = 0
    ) -> Greeting:
        """Say CONNECT; what the broker answers.

        Raises:
            LinkLost: it closes the connection instead.
            Unanswered: it keeps silent.
        """
        hello = frames.connect(
            self._version,
            client_id,
            login=login,
            clean=clean,
            keepalive=_KEEPALIVE,
            session_expiry=session_expiry,
            receive_maximum=_RECEIVE_MAXIMUM,
        )
        body = await self._ask(hello, frames.CONNACK, what="a CONNECT")
        with _understood():
            present, code, told = frames.read_connack(body, self._version)
        self._window = max(1, min(_WIDEST, told.get("receive_maximum", _WINDOW)))
        return Greeting(code=code, session_present=present, told=told)

    async def subscribe(self, *filters: str, qos: int = 1) -> list[int]:
        """Subscribe; the broker's code for each filter, 0x80 and more for a refusal.

        Raises:
            LinkLost: it closes the connection instead.
            Unanswered: it keeps silent.
        """
        asked = frames.subscribe(self._version, self._next_id(), filters, qos=qos)
        body = await self._ask(asked, frames.SUBACK, what="a SUBSCRIBE")
        with _understood():
            codes = frames.read_codes(body, self._version)
            if len(codes) != len(filters):
                raise ValueError(f"{len(codes)} codes for {len(filters)} filters")
            return codes

    async def publish(self, topic: str, payload: bytes = b"", *, expiry: int | None = None) -> int:
        """Publish with QoS 1, never retained; the broker's code, which is 0 on MQTT 3.1.1.

        Raises:
            LinkLost: it closes the connection instead.
            Unanswered: it keeps silent.
        """
        return (await self.publish_all(topic, [payload], expiry=expiry))[0]

    async def publish_all(self, topic: str, payloads: Sequence[bytes], *, expiry: int | None = None) -> list[int]:
        """Publish one after the other, a few in flight; the broker's codes.

        Args:
            topic: of all of them.
            payloads: what they say.
            expiry: seconds; left out on MQTT 3.1.1.

        Raises:
            LinkLost: it closes the connection instead.
            Unanswered: it keeps silent.
        """
        told = ({"message_expiry_interval": expiry} if expiry else {}) if self._version is Version.V5 else None
        codes: list[int] = []
        for number, payload in enumerate(payloads):
            self._writer.write(Publish(topic, payload, retain=False, properties=told).packet(self._next_id()))
            if number - len(codes) + 1 >= self._window:
                codes.append(await self._acknowledged())
        while len(codes) < len(payloads):
            codes.append(await self._acknowledged())
        return codes

    async def heard(self, *, quiet: float, most: int = _MOST_HEARD) -> list[Heard]:
        """What was delivered since the last call, when nothing has come for ``quiet`` seconds, or there are so many.

        Raises:
            LinkLost: the connection ended.
            Unanswered: the broker keeps silent also when it is asked.
        """
        await self._ask(frames.ping(), frames.PINGRESP, what="a PINGREQ")
        end = asyncio.get_running_loop().time() + _LISTEN
        while len(self._heard) < most and asyncio.get_running_loop().time() < end:
            try:
                async with asyncio.timeout(quiet):
                    first = await self._first()
            except TimeoutError:
                break
            self._take(first, await self._whole())
        heard, self._heard = self._heard, []
        return heard

    async def close(self, *, forget: bool = True) -> None:
        """Say DISCONNECT and close; ``forget``: the session is to end with it."""
        with suppress(OSError, TimeoutError):
            self._writer.write(frames.disconnect(self._version, forget=forget))
            self._writer.close()
            async with asyncio.timeout(_GOODBYE):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _acknowledged(self) -> int:
        body = await self._until(frames.PUBACK, what="a PUBLISH")
        return read_reason(body[2:])[0]

    async def _ask(self, packet: bytes, kind: int, *, what: str) -> bytes:
        self._writer.write(packet)
        return await self._until(kind, what=what)

    async def _until(self, kind: int, *, what: str) -> bytes:
        """The body of the next packet of a kind; messages before it are kept."""
        try:
            async with asyncio.timeout(self._within):
                while True:
                    head = await self._first()
                    body = await self._rest()
                    if head >> 4 == kind:
                        return body
                    self._take(head, body)
        except TimeoutError:
            raise Unanswered(what, within=self._within) from None

    def _take(self, head: int, body: bytes) -> None:
        if head >> 4 == frames.DISCONNECT:
            code, text = read_reason(body)
            raise LinkLost(f"the broker disconnected: {in_words(code, text=text)}")
        if head >> 4 != frames.PUBLISH:
            return
        with _understood():
            message = frames.read_publish(head, body, self._version)
        if message.packet_id:
            self._writer.write(frames.puback(message.packet_id))
        if len(self._heard) < _MOST_HEARD:
            self._heard.append(message)

    async def _first(self) -> int:
        """The first byte of a packet; what waits for it may be cancelled."""
        with _connected():
            return (await self._reader.readexactly(1))[0]

    async def _rest(self) -> bytes:
        """The body of the packet whose first byte was read."""
        with _connected():
            size = 0
            for place in range(_LENGTH_BYTES):
                (digit,) = await self._reader.readexactly(1)
                size |= (digit & 0x7F) << 7 * place
                if digit < 0x80:  # noqa: PLR2004
                    break
            if size > _LARGEST:
                raise LinkLost("what answers there does not speak MQTT")
            return await self._reader.readexactly(size)

    async def _whole(self) -> bytes:
        try:
            async with asyncio.timeout(self._within):
                return await self._rest()
        except TimeoutError:
            raise Unanswered("with the rest of a message", within=self._within) from None

    def _next_id(self) -> int:
        self._packet_id = self._packet_id % _LAST_PACKET_ID + 1
        return self._packet_id


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except LinkLost:
        raise
    except (asyncio.IncompleteReadError, OSError) as error:
        raise LinkLost("the broker closed the connection") from error


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise LinkLost(f"what the broker says cannot be read: {error}") from error


@asynccontextmanager
async def probe(
    settings: LinkSettings, *, version: Version | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Probe]:
    """A connection to the broker of these settings, closed at the end without a DISCONNECT if nobody said one.

    Args:
        settings: where the broker is, and ``connect_timeout`` for every answer.
        version: another one than that of the settings.
        tls: another context than that of the settings.

    Raises:
        OSError: it cannot be reached, or its certificate is not trusted.
        Unanswered: it takes the connection and does not answer the TLS handshake.
    """
    try:
        async with asyncio.timeout(settings.connect_timeout):
            reader, writer = await asyncio.open_connection(settings.host, settings.port, ssl=tls or settings.tls)
    except TimeoutError:
        raise Unanswered("a connection", within=settings.connect_timeout) from None
    try:
        yield Probe(reader, writer, version=version or settings.version, within=settings.connect_timeout)
    finally:
        writer.transport.abort()
