"""A broker in this process, for one machine: amqtt behind a listener that limits, checks and keeps order at the door.

amqtt speaks MQTT 3.1.1 only. It acknowledges before it delivers, never delivers an unacknowledged message again, hands
over what it queued for an absent client with the retain flag, and forgets everything when it stops; the gateway's
receipts and repeats are what makes that safe.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from amqtt.contexts import Action, BrokerConfig, ListenerConfig, ListenerType

from gateway.errors import Misconfigured
from gateway.mqtt.doorway import Refusal, greet
from gateway.mqtt.embedded_broker import StrictBroker
from gateway.mqtt.embedded_plugins import VISITOR, Guard, LoginPlugin, TopicPlugin, Visitor
from gateway.mqtt.filters import matches
from gateway.mqtt.permissions import Logins
from gateway.mqtt.stream import BoundedWriter, PacketReader
from gateway.ports import holder

_log = logging.getLogger(__name__)

_LISTENER = "default"
_UNSERVED = 256
_GATE_POLL = 0.002
_CONNECT_WITHIN = 5.0
_GOODBYE = 1.0
"""Seconds that amqtt gets to notice the end of a connection."""

_GRACE = 1.5
"""MQTT 3.1.1, 3.1.2.10: one and a half keep-alives of silence end a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """Where the embedded broker listens, and what bounds it.

    Args:
        port: 0 for any free one; ``EmbeddedBroker.port`` has it.
        tls: the server's side of TLS; None for plain TCP.
        session_expiry: seconds that an absent client's session is kept.
        max_connections: clients at once; further ones are refused.
        max_packet_size: bytes of a packet; a client that sends a larger one is cut off.
        max_queued: messages that are kept for one absent client.
        max_unread: bytes that may wait for a client that does not read.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    session_expiry: int = 86_400
    max_connections: int = 64
    max_packet_size: int = 262_144
    max_queued: int = 1_000
    max_unread: int = 4_194_304


@dataclass(slots=True, eq=False)
class _Client:
    visitor: Visitor
    client_id: str
    writer: BoundedWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class EmbeddedBroker:
    """amqtt in this process, started and stopped with it.

    Args:
        logins: asked at every connect.
    """

    def __init__(self, settings: EmbeddedSettings, *, logins: Logins) -> None:
        self._settings = settings
        self._logins = logins
        self._guard = Guard(most_queued=settings.max_queued)
        self._broker: StrictBroker | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._clients: dict[str, _Client] = {}

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._settings.port if self._server is None else int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen.

        Raises:
            Misconfigured: the address cannot be used; names who holds the port where that can be found out.
        """
        logging.getLogger("amqtt").setLevel(logging.ERROR)  # its warnings are ordinary life: clients come and go
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self._broker = StrictBroker(self._amqtt_settings(), guard=self._guard)
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
        for client in list(self._clients.values()):
            client.writer.abort()
        if self._connections:
            _, still = await asyncio.wait(self._connections, timeout=_CONNECT_WITHIN)
            for task in still:
                task.cancel()
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()

    def heard(self, topic: str) -> bool:
        """Whether a client, present or absent with a session that is kept, subscribes to the topic."""
        if self._broker is None:
            return False
        return any(
            subscribers and matches(topic_filter, topic)
            for topic_filter, subscribers in self._broker.subscriptions.items()
        )

    async def disconnect(self, username: str) -> None:
        """End what a user has here, live connections and kept sessions: it was removed, or may do other things now."""
        theirs = [client for client in self._clients.values() if client.visitor.username == username]
        for client in theirs:
            client.writer.abort()
        for client in theirs:
            await client.gone.wait()
        self._guard.permissions.pop(username, None)
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
        writer = BoundedWriter(sink, most=self._settings.max_unread)
        if len(self._connections) >= self._settings.max_connections:
            _log.warning("refused a client: %s are connected already", len(self._connections))
            writer.abort()
            return
        self._connections.add(task)
        try:
            await self._welcome(stream, writer)
        except (ConnectionError, TimeoutError) as error:
            _log.info("a client left before it was connected: %s", error)
        finally:
            self._connections.discard(task)
            await writer.close()

    async def _welcome(self, stream: StreamReader, writer: BoundedWriter) -> None:
        gate = _Gate()
        reader = PacketReader(stream, largest=self._settings.max_packet_size, gate=gate.wait)
        async with asyncio.timeout(_CONNECT_WITHIN):
            packet = await reader.packet()
        greeting = await greet(packet, self._logins)
        if isinstance(greeting, Refusal):
            _log.warning("refused a client: %s", greeting.reason)
            writer.write(greeting.packet)
            return
        reader.unread(greeting.packet)
        reader.silence = greeting.keepalive * _GRACE or None
        gate.visitor = Visitor(greeting.username, greeting.permissions)
        writer.permits = partial(self._guard.allows, greeting.username, action=Action.RECEIVE)
        await self._serve(_Client(gate.visitor, greeting.client_id, writer), reader)

    async def _serve(self, client: _Client, reader: PacketReader) -> None:
        while (earlier := self._clients.get(client.client_id)) is not None:
            earlier.writer.abort()
            await earlier.gone.wait()
        if self._broker is None:
            return
        self._clients[client.client_id] = client
        VISITOR.set(client.visitor)
        try:
            await _while_open(client.writer, self._broker.external_connected(reader, client.writer, _LISTENER))
        finally:
            del self._clients[client.client_id]
            client.gone.set()


async def _while_open(writer: BoundedWriter, serving: Coroutine[Any, Any, None]) -> None:
    """Let amqtt serve a connection; one that was cut before amqtt read from it would keep amqtt for ever."""
    served, closed = asyncio.ensure_future(serving), asyncio.ensure_future(writer.closed())
    try:
        await asyncio.wait({served, closed}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({served}, timeout=_GOODBYE)
    finally:
        for task in (served, closed):
            task.cancel()
        await asyncio.wait({served, closed})
    if not served.cancelled():
        served.result()


@dataclass(slots=True)
class _Gate:
    """Holds a client back while too many of its messages wait to be looked at."""

    visitor: Visitor | None = None

    async def wait(self) -> None:
        """Return when the client may be read again."""
        while self.visitor is not None and self.visitor.unserved > _UNSERVED:  # noqa: ASYNC110 - amqtt tells nobody
            await asyncio.sleep(_GATE_POLL)


def _cannot_listen(settings: EmbeddedSettings, error: OSError) -> str:
    address = f"{settings.host}:{settings.port}"
    if error.errno != errno.EADDRINUSE:
        return f"the embedded broker cannot listen on {address}: {error}"
    process = None
    with suppress(OSError):
        process = holder(settings.port)
    return f"the embedded broker cannot listen on {address}: {process or 'another process'} listens there already"
