"""The Link over gmqtt: connects again after every loss, with full jitter, in a version that the broker speaks."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from asyncio import Future
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from bot_plugin.errors import LinkLost, LinkRefused, TakenOver
from bot_plugin.link import Connection, NoAnswer, VersionRefused
from bot_plugin.outage import Outage, why_lost, why_not
from bot_plugin.transport import Before, LinkSettings, Receive, at_once

log = logging.getLogger("bot_plugin.link")

_SESSION_TAKEN_OVER = 0x8E

STABLE = 5.0
"""Seconds after which a connection was a good one: the pauses between attempts begin anew."""

AT_ONCE = 1.0
"""Seconds after the end of a connection, for which nobody else can have come to its place."""


class MqttBroker:
    """One broker, the versions that it was found to speak, and its outages.

    The version that a connection has, or that the last one found, is where the next one begins, and that one only: a
    bot asks for its name first, then connects for signals, then for commands, so that a broker's silence costs one
    timeout, and a reconnect after an outage tries them all again.
    """

    def __init__(self) -> None:
        self._spoken: set[int] = set()
        self._first: int | None = None
        self._spoken_now: list[int] = []
        self.outage = Outage()

    def link(self, settings: LinkSettings) -> MqttLink:
        """A Link to this broker."""
        return MqttLink(settings, broker=self)

    def found(self, version: int, *, tried: tuple[int, ...]) -> None:
        """Remember a version that worked, out of those that were tried in this order."""
        self._spoken.add(version)
        self._first = version if version != tried[0] else None

    @contextmanager
    def speaking(self, version: int) -> Iterator[None]:
        """A connection stands in this version while the block lasts."""
        self._spoken_now.append(version)
        try:
            yield
        finally:
            self._spoken_now.remove(version)

    def order(self, versions: tuple[int, ...]) -> tuple[int, ...]:
        """The versions to try now."""
        first = self._spoken_now[-1] if self._spoken_now else self._first
        return tuple(sorted(versions, key=lambda version: version != first))

    @property
    def stands(self) -> bool:
        """Whether any connection to it stands."""
        return bool(self._spoken_now)

    def speaks(self, version: int) -> bool:
        """Whether a version worked before: silence is a failure then, and says nothing of the version."""
        return version in self._spoken


class MqttLink:
    """The Link over gmqtt."""

    def __init__(self, settings: LinkSettings, *, broker: MqttBroker | None = None) -> None:
        self._settings = settings
        self._broker = broker or MqttBroker()
        self._connection: Connection | None = None
        self._accepted = False
        self._renewed = asyncio.Event()

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

    @property
    def largest(self) -> int | None:
        """Bytes of a packet that the broker takes, as it said."""
        return self._connection.largest if self._connection is not None else None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> Future[int]:
        """Send one message; the future is the reason code of its PUBACK, 0 on MQTT 3.1.1 and for QoS 0."""
        if self._connection is None:
            raise LinkLost("the broker is not connected")
        return self._connection.publish(topic, payload, retain=retain, qos=qos)

    def renew(self, settings: LinkSettings) -> None:
        """Connect anew with these settings."""
        self._settings = settings
        self._renewed.set()

    async def run(self, receive: Receive, on_connect: Callable[[], None], before: Before = at_once) -> None:
        """Connect, and again after every loss, until cancelled."""
        try:
            await self._keep(receive, on_connect, before)
        finally:
            self._broker.outage.given_up(self, self._settings, others=self._broker.stands)

    async def _keep(self, receive: Receive, on_connect: Callable[[], None], before: Before) -> NoReturn:
        attempt, renewed_at, time = 0, -math.inf, asyncio.get_running_loop().time
        while True:
            connected_at = math.inf
            self._renewed.clear()
            try:
                if time() - renewed_at > AT_ONCE:
                    await before()
                    self._renewed.clear()  # what it asked for is in this attempt
                connection = await self._open(receive)
            except LinkRefused as refusal:
                if not self._accepted:
                    raise
                await self._be_patient(refusal)
                continue
            except OSError as error:
                self._broker.outage.missed(self, self._settings, why_not(error))
            else:
                connected_at = time()
                await self._serve(connection, on_connect)
                if self._renewed.is_set():
                    renewed_at = time()
                    continue
            renewed_at = -math.inf
            if time() - connected_at >= STABLE:
                attempt = 0
            await self._pause(attempt)
            attempt += 1

    async def _pause(self, attempt: int) -> None:
        """Wait between two attempts, but no longer than until there are other settings."""
        first, longest = self._settings.backoff
        pause = random.uniform(0, min(longest, first * 2 ** min(attempt, 16)))  # noqa: S311
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._renewed.wait()

    async def _be_patient(self, refusal: LinkRefused) -> None:
        patience = self._settings.patience
        log.error(
            "%s is refused now, though it was accepted before; the next try is in %g s: %s",
            self._settings.who or self._settings.client_id,
            patience,
            refusal,
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(patience * random.uniform(0.8, 1)):  # noqa: S311
                await self._renewed.wait()

    async def _open(self, receive: Receive) -> Connection:
        versions = self._broker.order(self._settings.versions)
        for version in versions:
            connection = Connection(self._settings, version, receive)
            try:
                await connection.open()
            except VersionRefused as error:
                await connection.close()
                problem = error
                if isinstance(error, NoAnswer) and self._broker.speaks(version):
                    break
            except BaseException:
                await connection.close()
                raise
            else:
                self._broker.found(version, tried=versions)
                return connection
        raise problem

    async def _serve(self, connection: Connection, on_connect: Callable[[], None]) -> None:
        self._connection, self._accepted = connection, True
        try:
            with self._broker.speaking(connection.version):
                self._broker.outage.made(self, self._settings)
                if not self._renewed.is_set():
                    on_connect()
                reason, why = await self._ended(connection)
        finally:
            self._connection = None
            await connection.close()
        if reason == _SESSION_TAKEN_OVER:
            raise TakenOver(f"another connection uses client id {self._settings.client_id!r}")
        if self._renewed.is_set():
            return
        self._broker.outage.lost(self, self._settings, why)

    async def _ended(self, connection: Connection) -> tuple[int | None, str]:
        """The broker's reason code, and why it ended, in words; nothing of either where it is to be made anew."""
        timeout = self._settings.ack_timeout
        renewed = asyncio.ensure_future(self._renewed.wait())
        ends: set[Future[Any]] = {connection.lost, renewed}
        try:
            while not connection.lost.done() and not renewed.done():
                await asyncio.wait(ends, timeout=timeout / 2, return_when=asyncio.FIRST_COMPLETED)
                if connection.acknowledgements.longest_wait > timeout:
                    return None, f"no acknowledgement for {timeout:g} s"
        finally:
            renewed.cancel()
        if not connection.lost.done():
            return None, ""
        reason = connection.lost.result()
        return reason, why_lost(reason, connection.client.broken)
