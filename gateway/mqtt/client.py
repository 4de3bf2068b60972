"""One gmqtt client for one connection: gmqtt's private side is touched here and in acknowledgement.py only."""

# gmqtt has no annotations
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from typing import Any

import gmqtt
from gmqtt.mqtt.handler import MQTTConnectError

from gateway.mqtt.acknowledgement import Acknowledgements, Receive, acknowledge_when_done
from gateway.mqtt.model import LinkSettings
from gateway.mqtt.publishing import Publish
from gateway.mqtt.writing import GatheredWrites, acknowledge_at_once

_RECEIVE_MAXIMUM = 500
"""Messages that an MQTT 5 broker may send before the first is acknowledged; many share one commit of the journal."""

_NO_LIMIT = 65535

logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # the link says what happened, once and in its own words


@dataclass(frozen=True, slots=True)
class Limits:
    """What the broker's CONNACK allows: publishes in flight, bytes of a packet (None for any)."""

    receive_maximum: int = _NO_LIMIT
    maximum_packet_size: int | None = None


class Client(gmqtt.Client):
    """A gmqtt client that never connects by itself and reads reason codes."""

    def __init__(self, settings: LinkSettings, acknowledgements: Acknowledgements, receive: Receive) -> None:
        will = settings.will
        super().__init__(
            settings.client_id,
            clean_session=False,
            optimistic_acknowledgement=False,
            will_message=will and gmqtt.Message(will.topic, will.payload, qos=1, retain=True),
            persistent_storage=acknowledgements,
            session_expiry_interval=settings.session_expiry,
            receive_maximum=_RECEIVE_MAXIMUM,
        )
        self._settings = settings
        acknowledgements.override(self._package_handler)
        acknowledge_when_done(self._package_handler, receive)
        if settings.username is not None:
            self.set_auth_credentials(settings.username, settings.password)

    async def open(self) -> None:
        """Connect, and return after CONNACK; it waits for ever where the broker never answers.

        Raises:
            OSError: the broker cannot be reached.
            MQTTConnectError: it refuses.
        """
        settings = self._settings
        await self.connect(
            settings.host,
            settings.port,
            ssl=settings.tls or False,
            keepalive=settings.keepalive,
            version=int(settings.version),
        )

    def send(self, message: Publish) -> None:
        """Publish: what gmqtt's ``publish`` does, but for the packet, which is written here.

        Raises:
            OverflowError: no packet id is free.
        """
        assert self._connection is not None
        protocol = self._connection._protocol  # noqa: SLF001
        packet_id: int = protocol.id_generator.next_id()
        packet = message.packet(packet_id)
        protocol.write_data(packet)
        self._persistent_storage.push_message(packet_id, packet)

    async def _create_connection(self, *arguments: Any, **options: Any) -> Any:
        connection = await super()._create_connection(*arguments, **options)
        GatheredWrites.of(connection)
        acknowledge_at_once(connection)
        return connection

    async def reconnect(self, delay: bool = False) -> None:  # noqa: FBT001, FBT002 - gmqtt's signature
        """Do nothing where gmqtt would connect again by itself: the link makes a new client."""

    @property
    def refusal(self) -> int | None:
        """The code of the CONNACK that refused the connection."""
        error = self._package_handler._error  # noqa: SLF001
        return error._code if isinstance(error, MQTTConnectError) else None  # noqa: SLF001

    @property
    def limits(self) -> Limits:
        """What the CONNACK allows. ``on_connect`` hides it behind what the CONNECT asked for."""
        answered = self._package_handler._connack_properties  # noqa: SLF001
        return Limits(
            receive_maximum=answered.get("receive_maximum", [_NO_LIMIT])[0],
            maximum_packet_size=answered.get("maximum_packet_size", [None])[0],
        )

    @property
    def certificate_end(self) -> float | None:
        """When the certificate that the broker showed ends, in seconds since the epoch; None without TLS."""
        tls = self._connection._transport.get_extra_info("ssl_object") if self._connection else None  # noqa: SLF001
        shown = tls.getpeercert() if tls is not None else None
        return ssl.cert_time_to_seconds(shown["notAfter"]) if shown else None

    def abort(self) -> None:
        """End the connection now, whatever is still to be sent; a broker that stands still cannot delay it."""
        if self._connection is not None:
            self._connection._transport.abort()  # noqa: SLF001
