"""The plugin's door to gmqtt: one connection that acknowledges late and knows reason codes.

gmqtt's own reconnecting is switched off, as it hides what was lost: each attempt has a Client of its own.
"""
# gmqtt has no annotations
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from asyncio import Future
from typing import Any

from gmqtt import Client, Subscription
from gmqtt import Message as Publish
from gmqtt.mqtt.handler import MQTTConnectError

from bot_plugin.acknowledgements import Acknowledgements
from bot_plugin.errors import LinkLost, LinkRefused
from bot_plugin.transport import FOR_GOOD, REFUSED, V5, WRONG_VERSION, LinkSettings, Message, Receive, version_name

log = logging.getLogger("bot_plugin.link")

_NEVER_RECONNECT = {"reconnect_retries": -2}
_DISCONNECT = 0xE0
_DEFAULT_RECEIVE_MAXIMUM = 18
"""Assumed where the broker does not say: Mosquitto keeps 20 messages in flight."""

_MOST_UNSENT = 1_048_576
"""Bytes that may wait for the network before a publish with QoS 0 is not taken any more."""

_GOODBYE = 1.0
"""Seconds that a broker has to close a connection on which it was said goodbye to."""

_FIRST = asyncio.FIRST_COMPLETED

logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # the link says what happened, in its own words
_quiet = logging.getLogger("bot_plugin.gmqtt")
_quiet.setLevel(logging.CRITICAL)


class VersionRefused(ConnectionError):
    """The broker does not speak this MQTT version, as far as can be told."""


class NoAnswer(VersionRefused):
    """The broker said nothing at all to this version, which is no proof."""


def tell_reasons(client: Any, acknowledgements: Acknowledgements) -> None:
    """Hand PUBACK reason codes to the acknowledgements: the one private override, as gmqtt 0.8.0 drops them.

    Raises:
        ImportError: this gmqtt has no such method.
    """
    handler = getattr(client, "_package_handler", None)
    original = getattr(handler, "_handle_puback_packet", None)
    if original is None:
        raise ImportError("this gmqtt does not fit: bot_plugin was built for gmqtt 0.8.0 (pip install gmqtt==0.8.0)")

    def handle(cmd: int, packet: bytes) -> None:
        acknowledgements.reason(int.from_bytes(packet[:2], "big"), packet[2] if len(packet) > 2 else 0)  # noqa: PLR2004
        original(cmd, packet)

    handler._handle_puback_packet = handle  # type: ignore[union-attr]  # noqa: SLF001


def _gather_writes(connection: Any) -> None:
    """Send the packets of one turn of the loop together; a DISCONNECT, after which the connection closes, at once."""
    loop, held = asyncio.get_running_loop(), bytearray()

    def flush() -> None:
        data = bytes(held)
        held.clear()
        if data and not connection.is_closing():
            connection.send_package(data)

    def write(data: bytes) -> None:
        if not held:
            loop.call_soon(flush)
        held.extend(data)
        if data[0] == _DISCONNECT:
            flush()

    connection._protocol.write_data = write  # noqa: SLF001


class PromptClient(Client):
    """A Client that writes once in a turn of the loop, and whose TCP connection acknowledges at once what arrives.

    Mosquitto leaves Nagle's algorithm on, so it holds each small packet back until the one before it is acknowledged,
    which takes the kernel up to 40 ms. It forgets TCP_QUICKACK, so that is set after every read, where there is one.
    """

    broken: Exception | None = None
    """What ended the connection, where it was an error."""

    async def _create_connection(self, *arguments: Any, **options: Any) -> Any:
        connection = await super()._create_connection(*arguments, **options)
        _gather_writes(connection)
        option = getattr(socket, "TCP_QUICKACK", None)
        protocol = connection._protocol  # noqa: SLF001
        self._watch(protocol)
        endpoint = connection._transport.get_extra_info("socket")  # noqa: SLF001
        if option is None or endpoint is None or endpoint.family not in {socket.AF_INET, socket.AF_INET6}:
            return connection
        gmqtts_own = protocol._read_packet  # noqa: SLF001

        def read_packet(data: bytes) -> int:
            endpoint.setsockopt(socket.IPPROTO_TCP, option, 1)
            parsed: int = gmqtts_own(data)
            return parsed

        protocol._read_packet = read_packet  # noqa: SLF001
        return connection

    def _watch(self, protocol: Any) -> None:
        ended = protocol.connection_lost

        def connection_lost(error: Exception | None) -> None:
            self.broken = error
            ended(error)

        protocol.connection_lost = connection_lost


class Connection:
    """One attempt, and the connection that it becomes."""

    def __init__(self, settings: LinkSettings, version: int, receive: Receive) -> None:
        self._settings, self.version, self._receive = settings, version, receive
        loop = asyncio.get_running_loop()
        self.lost: Future[int | None] = loop.create_future()
        self.acknowledgements = Acknowledgements()
        self.receive_maximum = _DEFAULT_RECEIVE_MAXIMUM
        self.largest: int | None = None
        self._granted: Future[dict[int, tuple[int, ...]]] = loop.create_future()
        self.client = self._build()

    def _build(self) -> Any:
        settings = self._settings
        will = settings.will and Publish(settings.will.topic, settings.will.payload, qos=1, retain=True)
        properties: dict[str, int] = {}
        if self.version == V5 and not settings.clean:
            properties["session_expiry_interval"] = settings.session_expiry
        client = PromptClient(
            settings.client_id,
            clean_session=settings.clean,
            optimistic_acknowledgement=False,
            will_message=will,
            persistent_storage=self.acknowledgements,
            logger=_quiet,
            **properties,
        )
        client.set_config(_NEVER_RECONNECT)
        tell_reasons(client, self.acknowledgements)
        if settings.username is not None:
            client.set_auth_credentials(settings.username, settings.password)
        client.on_message, client.on_disconnect = self._on_message, self._on_disconnect
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        return client

    async def _on_message(self, _client: Any, topic: str, payload: bytes, _qos: int, properties: dict[str, Any]) -> int:
        expiry = properties.get("message_expiry_interval", (None,))[0]
        await self._receive(Message(topic=topic, payload=payload, retained=bool(properties["retain"]), expiry=expiry))
        return 0

    def _on_disconnect(self, _client: Any, packet: Any, _error: Any = None) -> None:
        if not self.lost.done():
            self.lost.set_result(packet[0] if isinstance(packet, bytes) and packet else None)
        self.acknowledgements.fail("the connection to the broker ended")

    def _on_connect(self, _client: Any, _flags: int, _code: int, properties: dict[str, Any]) -> None:
        self.receive_maximum = properties.get("receive_maximum", [self.receive_maximum])[0]
        self.largest = properties.get("maximum_packet_size", [None])[0]

    def _on_subscribe(self, _client: Any, mid: int, granted: tuple[int, ...], _properties: Any) -> None:
        if not self._granted.done():
            self._granted.set_result({mid: granted})

    @property
    def free(self) -> int:
        # One packet id stays free: gmqtt counts a SUBSCRIBE in the same pool and raises at the last one.
        limit = max(1, min(self._settings.window, self.receive_maximum - 2))
        return 0 if self.lost.done() else max(0, limit - self.acknowledgements.in_flight)

    def publish(self, topic: str, payload: bytes, *, retain: bool, qos: int) -> Future[int]:
        """Send one message.

        Raises:
            LinkLost: there is no room for it.
        """
        if not (self._has_room if qos == 0 else self.free):
            raise LinkLost("the broker is not connected, or too much is in flight")
        self.client.publish(topic, payload, qos=qos, retain=retain)
        if qos:
            return self.acknowledgements.newest
        sent: Future[int] = asyncio.get_running_loop().create_future()
        sent.set_result(0)
        return sent

    @property
    def _has_room(self) -> bool:
        if self.lost.done():
            return False
        unsent: int = self.client._connection._transport.get_write_buffer_size()  # noqa: SLF001
        return unsent < _MOST_UNSENT

    async def open(self) -> None:
        """Connect and subscribe.

        Raises:
            VersionRefused: no answer, or none that fits, to this version.
            LinkRefused: the broker will not have this client, or a filter.
            OSError: the broker cannot be reached, or was lost.
        """
        settings = self._settings
        connecting = asyncio.ensure_future(
            self.client.connect(
                settings.host,
                settings.port,
                ssl=settings.tls or False,
                keepalive=settings.keepalive,
                version=self.version,
            )
        )
        try:
            await asyncio.wait({connecting, self.lost}, timeout=settings.connect_timeout, return_when=_FIRST)
            await asyncio.wait({connecting}, timeout=0.2)  # a refusal's CONNACK and its close arrive together
            if not connecting.done():
                raise self._silence()
            connecting.result()
        except MQTTConnectError as error:
            raise self._refusal(error) from None
        finally:
            connecting.cancel()
        await self._subscribe()

    def _silence(self) -> ConnectionError:
        """What it means that there is no answer: another version is to be tried, or TLS was ended (RFC 8446, 6.2)."""
        error = self.client.broken
        if not isinstance(error, ssl.SSLError):
            return NoAnswer(f"no answer to MQTT {version_name(self.version)}")
        cure = ": it asks for a certificate of this client's own (cert, key)" if "CERTIFICATE_REQ" in str(error) else ""
        return ConnectionAbortedError(f"the broker ended TLS with {error.reason}{cure}")

    def _refusal(self, error: Any) -> ConnectionError:
        code = error._code  # noqa: SLF001
        if code in WRONG_VERSION:
            return VersionRefused(str(error))
        if code in FOR_GOOD[self.version]:
            return LinkRefused(
                f"the broker refuses {self._who()}: {error}. Check its user name, password and permissions."
            )
        return ConnectionRefusedError(str(error))

    def _who(self) -> str:
        return f"client {self._settings.client_id!r} at {self._settings.host}:{self._settings.port}"

    async def _subscribe(self) -> None:
        filters = [*self._settings.filters, *self._settings.optional]
        if dropped := [one for one in self._settings.dropped if one.isascii()]:  # gmqtt counts characters, not bytes
            self.client.unsubscribe(dropped)
        if not filters:
            return
        mid = self.client.subscribe([Subscription(text, qos=1) for text in filters])
        answers: set[Future[Any]] = {self._granted, self.lost}
        await asyncio.wait(answers, timeout=self._settings.connect_timeout, return_when=_FIRST)
        if not self._granted.done():
            raise LinkLost("the broker did not answer the subscription")
        granted = self._granted.result().get(mid, ())
        if len(granted) != len(filters):
            raise LinkLost(f"the broker answered with {len(granted)} codes for {len(filters)} subscriptions")
        denied = {text for text, code in zip(filters, granted, strict=True) if code >= REFUSED}
        if fatal := sorted(denied.intersection(self._settings.filters)):
            raise LinkRefused(f"the broker does not let {self._who()} listen to {', '.join(fatal)}")
        if denied:
            log.error("the broker does not let %s listen to %s", self._who(), ", ".join(sorted(denied)))

    async def close(self) -> None:
        """Say goodbye as far as the connection allows, within 2 s.

        The broker closes it when it has the goodbye. A next connection of this client that it takes before, as it reads
        one packet in a turn, ends this one without a goodbye, and the last will is published.
        """
        self.acknowledgements.fail("the connection was closed")
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                if not self.lost.done() and (connection := self.client._connection) is not None:  # noqa: SLF001
                    connection.send_disconnect()
                    await asyncio.wait({self.lost}, timeout=_GOODBYE)
                await self.client.disconnect()
