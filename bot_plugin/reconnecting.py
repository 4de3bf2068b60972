"""The Link over gmqtt: connects again after every loss, with full jitter, in a version that the broker speaks."""

from __future__ import annotations

import asyncio
import logging
import random
from asyncio import Future
from collections.abc import Callable

from bot_plugin.errors import LinkLost, LinkRefused, TakenOver
from bot_plugin.link import Connection, VersionRefused
from bot_plugin.transport import Before, LinkSettings, Receive, at_once

log = logging.getLogger("bot_plugin.link")

_SESSION_TAKEN_OVER = 0x8E


class MqttBroker:
    """One broker, and the version that it was found to speak: its silence costs a timeout once, not per connection."""

    def __init__(self) -> None:
        self._found: int | None = None

    def link(self, settings: LinkSettings) -> MqttLink:
        """A Link to this broker."""
        return MqttLink(settings, broker=self)

    def found(self, version: int) -> None:
        """Remember a version that worked."""
        self._found = version

    def sorted(self, versions: tuple[int, ...]) -> tuple[int, ...]:
        """The versions to try, the one that worked before the others."""
        return tuple(sorted(versions, key=lambda version: version != self._found))


class MqttLink:
    """The Link over gmqtt."""

    def __init__(self, settings: LinkSettings, *, broker: MqttBroker | None = None) -> None:
        self._settings = settings
        self._broker = broker or MqttBroker()
        self._connection: Connection | None = None

    def __repr__(self) -> str:
        state = "connected" if self.connected else "not connected"
        return f"MqttLink({self._settings.client_id} at {self._settings.host}:{self._settings.port}, {state})"

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._connection is not None and not self._connection.lost.done()

    @property
    def free(self) -> int:
        """How many publishes may be sent now."""
        return self._connection.free if self._connection is not None else 0

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> Future[int]:
        """Send one message with QoS 1; the future is the reason code of its PUBACK, 0 on MQTT 3.1.1."""
        connection = self._connection
        if connection is None or connection.free == 0:
            raise LinkLost("the broker is not connected, or too much is in flight")
        connection.client.publish(topic, payload, qos=1, retain=retain)
        return connection.acknowledgements.newest

    async def run(self, receive: Receive, on_connect: Callable[[], None], before: Before = at_once) -> None:
        """Connect, and again after every loss, until cancelled."""
        attempt = 0
        while True:
            await before()
            began = asyncio.get_running_loop().time()
            try:
                connection = await self._open(receive)
            except LinkRefused:
                raise
            except OSError as error:
                log.warning("%r cannot connect: %s", self, error)
            else:
                await self._serve(connection, on_connect)
            first, longest = self._settings.backoff
            if asyncio.get_running_loop().time() - began > longest:
                attempt = 0
            await asyncio.sleep(random.uniform(0, min(longest, first * 2 ** min(attempt, 16))))  # noqa: S311
            attempt += 1

    async def _open(self, receive: Receive) -> Connection:
        for version in self._broker.sorted(self._settings.versions):
            connection = Connection(self._settings, version, receive)
            try:
                await connection.open()
            except VersionRefused as error:
                await connection.close()
                problem = error
            except BaseException:
                await connection.close()
                raise
            else:
                self._broker.found(version)
                return connection
        raise problem

    async def _serve(self, connection: Connection, on_connect: Callable[[], None]) -> None:
        self._connection = connection
        log.info("%r", self)
        try:
            on_connect()
            reason = await self._ended(connection)
        finally:
            self._connection = None
            await connection.close()
        if reason == _SESSION_TAKEN_OVER:
            raise TakenOver(f"another connection uses client id {self._settings.client_id!r}")
        log.warning("%r: the connection ended (reason %s)", self, "unknown" if reason is None else hex(reason))

    async def _ended(self, connection: Connection) -> int | None:
        timeout = self._settings.ack_timeout
        while not connection.lost.done():
            await asyncio.wait({connection.lost}, timeout=timeout / 2)
            if connection.acknowledgements.longest_wait > timeout:
                log.warning("%r: no acknowledgement for %g s, connecting anew", self, timeout)
                return None
        return connection.lost.result()
