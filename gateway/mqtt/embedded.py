"""A broker in this process, for one machine: amqtt behind a listener that limits, checks and keeps order at the door.

amqtt speaks MQTT 3.1.1 only. It acknowledges before it delivers, never delivers an unacknowledged message again, and
forgets everything when it stops; the gateway's receipts and repeats are what makes that safe.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from amqtt.contexts import Action, BrokerConfig, ListenerConfig, ListenerType

from gateway.errors import Misconfigured
from gateway.mqtt.doorway import CONNACK_UNAVAILABLE, Refusal, greet
from gateway.mqtt.embedded_broker import StrictBroker
from gateway.mqtt.embedded_plugins import VISITOR, Guard, LoginPlugin, TopicPlugin, Visitor
from gateway.mqtt.filters import matches
from gateway.mqtt.permissions import Logins
from gateway.mqtt.places import Client, Places
from gateway.mqtt.stream import BoundedWriter, PacketReader, while_open
from gateway.ports import holder

_log = logging.getLogger(__name__)

_LISTENER = "default"
_CONNECT_WITHIN = 5.0
_WAITING = 64
"""Connections that have not sent their CONNECT; one more, and the one that waits longest is closed."""

_LARGEST_CONNECT = 65_536
_GOODBYE = 1.0
"""Seconds that amqtt gets to notice the end of a connection, and a client to read its last bytes."""

_GRACE = 1.5
"""MQTT 3.1.1, 3.1.2.10: one and a half keep-alives of silence end a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """Where the embedded broker listens, and what bounds it.

    Args:
        port: 0 for any free one; ``EmbeddedBroker.port`` has it.
        tls: the server's side of TLS; None for plain TCP.
        session_expiry: seconds that an absent client's session is kept.
        owner: the gateway's own login, for which there is always a place.
        max_connections: clients at once; further ones are refused.
        max_per_login: clients of one login at once. A Hummingbot before 2.15 opens one for each of its endpoints.
        max_packet_size: bytes of a packet; a client that sends a larger one is cut off. The largest signal that the
            intake lets through has 65,536 bytes and some for its topic.
        max_queued: messages that are kept for one absent client.
        max_queued_bytes: what they may have together.
        max_unread: bytes that may wait for the clients of a login that do not read.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    session_expiry: int = 86_400
    owner: str = "gateway"
    max_connections: int = 128
    max_per_login: int = 32
    max_packet_size: int = 262_144
    max_queued: int = 1_000
    max_queued_bytes: int = 2_097_152
    max_unread: int = 4_194_304


class EmbeddedBroker:
    """amqtt in this process, started and stopped with it.

    Args:
        logins: asked at every connect.
    """

    def __init__(self, settings: EmbeddedSettings, *, logins: Logins) -> None:
        self._settings = settings
        self._logins = logins
        self._guard = Guard(most_queued=settings.max_queued, most_queued_bytes=settings.max_queued_bytes)
        self._broker: StrictBroker | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._waiting: list[BoundedWriter] = []
        self._places = Places(
            most=settings.max_connections,
            per_login=min(settings.max_per_login, settings.max_connections // 2),
            owner=settings.owner,
            most_unread=settings.max_unread,
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._settings.port if self._server is None else int(self._server.sockets[0].getsockname()[1])

    @property
    def max_packet_size(self) -> int:
        """Bytes of the largest packet that it takes; MQTT 3.1.1 has no way to tell a client."""
        return self._settings.max_packet_size

    async def start(self) -> None:
        """Listen.

        Raises:
            Misconfigured: the address cannot be used; names who holds the port where that can be found out.
        """
        logging.getLogger("amqtt").setLevel(logging.ERROR)  # its warnings are ordinary life: clients come and go
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self._broker = StrictBroker(self._amqtt_settings(), guard=self._guard, owner=self._settings.owner)
        await self._broker.start()
        settings = self._settings
        try:
            self._server = await asyncio.start_server(self._accept, settings.host, settings.port, ssl=settings.tls)
        except OSError as error:
            await self.stop()
            raise Misconfigured(_cannot_listen(settings, error)) from error

    async def stop(self) -> None:
        """End every connection and the broker; what it had queued is gone."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self._places.abort()
        for writer in self._waiting:
            writer.abort()
        if self._connections:
            _, still = await asyncio.wait(self._connections, timeout=_CONNECT_WITHIN)
            for task in still:
                task.cancel()
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()

    def heard(self, topic: str) -> bool:
        """Whether a client, present or absent with a session that is kept and not ended, subscribes to the topic."""
        if self._broker is None:
            return False
        return any(
            any(not session.clean_session or session.transitions.is_connected() for session, _ in subscribers)
            for topic_filter, subscribers in self._broker.subscriptions.items()
            if matches(topic_filter, topic)
        )

    async def disconnect(self, username: str) -> None:
        """End what a user has here, live connections and kept sessions: it was removed, or may do other things now."""
        theirs = self._places.of(username)
        for client in theirs:
            client.writer.abort()
        for client in theirs:
            await client.gone.wait()
        self._guard.forget(username)
        if self._broker is not None:
            for session, _ in self._broker.sessions.values():
                if session.username == username:
                    session.clean_session = True  # amqtt's monitor removes it within a second
                    session.clear_queues()

    def _amqtt_settings(self) -> BrokerConfig:
        plugins = (LoginPlugin, TopicPlugin)
        return BrokerConfig(
            listeners={_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL, bind=_LISTENER)},
            session_expiry_interval=self._settings.session_expiry,
            plugins={f"{plugin.__module__}.{plugin.__name__}": {"guard": self._guard} for plugin in plugins},
        )

    async def _accept(self, stream: StreamReader, sink: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writer = BoundedWriter(sink)
        writer.probe()
        self._connections.add(task)
        try:
            await self._welcome(stream, writer)
        except (ConnectionError, TimeoutError) as error:
            _log.info("a client left before it was connected: %s", error)
        finally:
            await writer.end(within=_GOODBYE)
            self._connections.discard(task)

    async def _welcome(self, stream: StreamReader, writer: BoundedWriter) -> None:
        reader = PacketReader(stream, largest=min(_LARGEST_CONNECT, self.max_packet_size))
        greeting = await greet(await self._first_packet(reader, writer), self._logins)
        if isinstance(greeting, Refusal):
            _log.warning("refused a client: %s", greeting.reason)
            writer.write(greeting.packet)
            return
        reader.unread(greeting.packet)
        reader.largest = self.max_packet_size
        reader.silence = greeting.keepalive * _GRACE or None
        visitor = Visitor(greeting.username, greeting.permissions, self._guard.under_way)
        reader.gate = visitor.served
        await self._seat(Client(visitor, greeting.client_id, writer), reader)

    async def _first_packet(self, reader: PacketReader, writer: BoundedWriter) -> bytes:
        if len(self._waiting) >= _WAITING:
            self._waiting.pop(0).abort()
        self._waiting.append(writer)
        try:
            async with asyncio.timeout(_CONNECT_WITHIN):
                return await reader.packet()
        finally:
            if writer in self._waiting:
                self._waiting.remove(writer)

    async def _seat(self, client: Client, reader: PacketReader) -> None:
        problem = self._places.enter(client)
        if problem is not None:
            _log.warning("refused a client: %s", problem)
            client.writer.write(CONNACK_UNAVAILABLE)
            return
        try:
            await self._places.turn(client)
            if self._broker is not None and not client.writer.closing:
                await self._serve(self._broker, client, reader)
        finally:
            self._places.leave(client)

    async def _serve(self, broker: StrictBroker, client: Client, reader: PacketReader) -> None:
        username = client.visitor.username
        client.writer.permits = partial(self._guard.allows, username, action=Action.RECEIVE)
        client.writer.backlog = partial(self._places.relieve, username)
        VISITOR.set(client.visitor)
        await while_open(client.writer, broker.external_connected(reader, client.writer, _LISTENER), goodbye=_GOODBYE)
        if reader.fault:
            _log.warning("cut %r off: it sent %s", client.client_id, reader.fault)


def _cannot_listen(settings: EmbeddedSettings, error: OSError) -> str:
    address = f"{settings.host}:{settings.port}"
    if error.errno != errno.EADDRINUSE:
        return f"the embedded broker cannot listen on {address}: {error}"
    process = None
    with suppress(OSError):
        process = holder(settings.port)
    return f"the embedded broker cannot listen on {address}: {process or 'another process'} listens there already"
