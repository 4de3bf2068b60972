"""The fake broker and its links, for tests: they pass the same suite as the real ones, and can be made to fail."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from gateway.mqtt.filters import Routes
from gateway.mqtt.memory_broker import MemoryBroker, Published, Session
from gateway.mqtt.model import Ack, Handler, LinkLost, PacketTooLarge, Subscription, SubscriptionDenied, Version, Will
from gateway.mqtt.packet import publish_size
from gateway.mqtt.reasons import in_words

__all__ = ["MemoryBroker", "MemoryLink", "Published"]


class MemoryLink:
    """A Link to a MemoryBroker.

    Args:
        tables: whether ``heard`` asks the broker; it answers None otherwise.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        client_id: str = "gateway",
        version: Version = Version.V5,
        window: int = 16,
        will: Will | None = None,
        on_connected: Callable[[], None] = lambda: None,
        tables: bool = False,
    ) -> None:
        self.client_id = client_id
        self._broker = broker
        self._version = version
        self._window = window
        self._will = will
        self._on_connected = on_connected
        self._tables = tables
        self._routes: Routes[Subscription] = Routes()
        self._session: Session | None = None
        self._in_flight: set[Future[Ack]] = set()
        self._handling: set[asyncio.Task[None]] = set()
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self.last_error = "not connected yet"

    @property
    def version(self) -> Version:
        """The MQTT version that is spoken."""
        return self._version

    @property
    def connected(self) -> bool:
        """Whether the broker accepted the connection and it lives."""
        return self._session is not None

    @property
    def free(self) -> int:
        """How many publishes may be sent now without waiting; 0 while not connected."""
        return 0 if self._session is None else self._window - len(self._in_flight)

    async def wait_connected(self) -> None:
        """Return when connected."""
        await self._up.wait()

    def heard(self, topic: str) -> bool | None:
        """Whether anyone subscribes to a topic, where the broker is asked."""
        return self._broker.hears(topic) if self._tables else None

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry: int | None = None,
        content_type: str | None = None,
        properties: list[tuple[str, str]] | None = None,
    ) -> Future[Ack]:
        """Send one message; as Link says."""
        if self.free < 1:
            raise LinkLost(self.last_error or "the window is full")
        message = Published(topic=topic, payload=payload, retain=retain)
        if self._version is Version.V5:
            message = replace(message, expiry=expiry, content_type=content_type, properties=tuple(properties or ()))
        limit, size = self._broker.max_packet_size, publish_size(topic, payload, {})
        if limit is not None and size > limit:
            raise PacketTooLarge(size=size, limit=limit)
        future: Future[Ack] = asyncio.get_running_loop().create_future()
        self._in_flight.add(future)
        future.add_done_callback(self._in_flight.discard)
        asyncio.get_running_loop().call_soon(self._broker.take, self, message, future)
        return future

    async def subscribe(
        self, topic_filter: str, handler: Handler, *, qos: int = 1, retained: bool = True, new: bool = True
    ) -> None:
        """Hand every message of a filter to a handler; as Link says."""
        self._routes.add(topic_filter, Subscription(handler=handler, qos=qos, retained=retained, new=new))
        if self._session is not None and not self._broker.subscribe(self._session, topic_filter, qos=qos):
            raise SubscriptionDenied(topic_filter, in_words(0x87))

    async def run(self) -> None:
        """Connect, and again after every loss, until cancelled."""
        try:
            while True:
                self._connect(await self._broker.admit(self))
                await self._down.wait()
        finally:
            self._leave("the gateway closed the connection")

    def lose(self, reason: str) -> None:
        """End the connection as the broker, or the network, does."""
        if self._session is not None:
            self._leave(reason)
            self._broker.leave_will(self._will)

    def receive(self, message: Published, *, retained: bool = False) -> None:
        """Start the handlers of a message."""
        task = asyncio.get_running_loop().create_task(self._handle(message, self._session, retained=retained))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    def _connect(self, session: Session) -> None:
        self._down.clear()
        self._session = session
        self.last_error = ""
        for message in session.unacknowledged:
            self.receive(message)
        for topic_filter, targets in self._routes.filters():
            self._broker.subscribe(session, topic_filter, qos=max(target.qos for target in targets))
        self._up.set()
        self._on_connected()

    def _leave(self, reason: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.link = None
        self.last_error = reason
        self._up.clear()
        self._down.set()
        lost = [future for future in self._in_flight if not future.done()]
        self._in_flight.clear()
        for future in lost:
            future.set_exception(LinkLost(reason, alone=len(lost) == 1))
            future.exception()

    async def _handle(self, message: Published, session: Session | None, *, retained: bool) -> None:
        for target in self._routes.of(message.topic):
            if not target.takes(retained=retained):
                continue
            with suppress(Exception):  # as the real link: the message is done with
                if (handling := target.handler(message.topic, message.payload)) is not None:
                    await handling
        if session is not None and session is self._session and message in session.unacknowledged:
            session.unacknowledged.remove(message)
