"""The link to a broker through gmqtt: connect, subscribe again, wait for the loss, pause, and so on."""

from __future__ import annotations

import asyncio
import logging
import random
from asyncio import Future
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gateway.mqtt.acknowledgement import require_hooks
from gateway.mqtt.connection import Connection, End
from gateway.mqtt.filters import Routes
from gateway.mqtt.model import Ack, Handler, LinkLost, LinkSettings, Subscription, SubscriptionDenied, Version
from gateway.mqtt.reasons import in_words

_log = logging.getLogger(__name__)

_REFUSED = 0x80
_MOST_DOUBLINGS = 16
_STABLE = 5.0
"""Seconds after which a connection was a good one; shorter ones may be two links that take over from each other."""


class GmqttLink:
    """A Link through gmqtt, with one gmqtt client per connection.

    Args:
        on_connected: called after each connect, when the subscriptions are made again.
        on_disconnected: called after the end of each connection that was reported.
        heard: asks the broker's own tables whether anyone subscribes to a topic; None where they cannot be asked.
        jitter: random numbers from 0 to 1, for the pauses between attempts.

    Raises:
        Misconfigured: the installed gmqtt hides the broker's reason codes.
    """

    def __init__(
        self,
        settings: LinkSettings,
        *,
        on_connected: Callable[[], None] = lambda: None,
        on_disconnected: Callable[[], None] = lambda: None,
        heard: Callable[[str], bool] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        require_hooks()
        self._settings = settings
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._heard = heard
        self._jitter = jitter
        self._routes: Routes[Subscription] = Routes()
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._last_error = "not connected yet"

    @property
    def version(self) -> Version:
        """The MQTT version that is spoken."""
        return self._settings.version

    @property
    def connected(self) -> bool:
        """Whether the broker accepted the connection and it lives."""
        return self._connection is not None

    @property
    def free(self) -> int:
        """How many publishes may be sent now without waiting; 0 while not connected."""
        return 0 if self._connection is None else self._connection.free

    @property
    def certificate_end(self) -> float | None:
        """When the certificate that the broker showed ends, in seconds since the epoch; None without TLS."""
        return None if self._connection is None else self._connection.certificate_end

    @property
    def last_error(self) -> str:
        """Why there is no connection, or why the last one ended; empty while connected."""
        return self._last_error

    async def wait_connected(self) -> None:
        """Return when connected."""
        await self._connected.wait()

    def heard(self, topic: str) -> bool | None:
        """Whether anyone subscribes to a topic; None where the broker's tables cannot be asked."""
        return None if self._heard is None else self._heard(topic)

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
        """Send one message with QoS 1, now; as Link says.

        Raises:
            LinkLost: not connected, or no place in the window.
            PacketTooLarge: the broker does not accept a packet of this size.
        """
        if self._connection is None:
            raise LinkLost(f"not connected: {self._last_error}")
        extras: dict[str, Any] = {}
        if self._settings.version is Version.V5:
            if expiry is not None:
                extras["message_expiry_interval"] = expiry
            if content_type is not None:
                extras["content_type"] = content_type
            if properties:
                extras["user_property"] = properties
        return self._connection.publish(topic, payload, retain=retain, properties=extras)

    async def subscribe(
        self, topic_filter: str, handler: Handler, *, qos: int = 1, retained: bool = True, new: bool = True
    ) -> None:
        """Hand every message of a filter to a handler; as Link says.

        Raises:
            SubscriptionDenied: connected, and the broker refuses.
            LinkLost: the connection ended before the broker answered; the subscription is made at the next.
            ValueError: the text is no topic filter.
        """
        self._routes.add(topic_filter, Subscription(handler=handler, qos=qos, retained=retained, new=new))
        if self._connection is not None:
            code = (await self._connection.subscribe({topic_filter: qos}))[topic_filter]
            if code >= _REFUSED:
                denied = SubscriptionDenied(topic_filter, in_words(code))
                _log.error("%s", denied)
                raise denied

    async def run(self) -> None:
        """Connect, and again after every loss or refusal, until cancelled; a clean DISCONNECT at the end."""
        attempt = 0
        while True:
            end = await self._live()
            attempt = 0 if end.lived >= _STABLE else attempt + 1
            pause = self._pause(attempt, patient=end.permanent)
            _log.log(
                logging.ERROR if end.permanent else logging.WARNING,
                "no connection to the broker at %s:%s: %s; next attempt in %.1f s",
                self._settings.host, self._settings.port, end.reason, pause,
            )  # fmt: skip
            await asyncio.sleep(pause)

    async def _live(self) -> End:
        """One connection, from its first attempt to its end."""
        connection = Connection(self._settings, receive=self._receive, on_end=self._disconnected)
        try:
            if await connection.open():
                await self._subscribe_again(connection)
                if not connection.ended.done():
                    self._established(connection)
            return await asyncio.shield(connection.ended)
        finally:
            await connection.close()

    async def _subscribe_again(self, connection: Connection) -> None:
        filters = {wanted: max(one.qos for one in targets) for wanted, targets in self._routes.filters()}
        if not filters:
            return
        try:
            codes = await connection.subscribe(filters)
        except LinkLost:
            return  # the connection's end has the reason
        for topic_filter, code in codes.items():
            if code >= _REFUSED:
                _log.error("%s", SubscriptionDenied(topic_filter, in_words(code)))

    def _established(self, connection: Connection) -> None:
        self._connection = connection
        self._last_error = ""
        self._connected.set()
        _log.info("connected to the broker at %s:%s", self._settings.host, self._settings.port)
        self._on_connected()

    def _disconnected(self, end: End) -> None:
        was_connected, self._connection = self.connected, None
        self._last_error = end.reason
        self._connected.clear()
        if was_connected:
            self._on_disconnected()

    def _receive(self, topic: str, payload: bytes, *, retained: bool) -> Future[None]:
        """Hand a message to its handlers; the future is done when all of them are, whatever became of it."""
        found = self._routes.of(topic)
        if not found:
            _log.warning("nobody here handles %r; the message is dropped", topic)
        handlers = [one.handler for one in found if one.takes(retained=retained)]
        if len(handlers) == 1:
            return _one(handlers[0], topic, payload)
        return asyncio.ensure_future(_all(handlers, topic, payload))

    def _pause(self, attempt: int, *, patient: bool) -> float:
        """Seconds until the next attempt: full jitter, doubled after each attempt that brought nothing."""
        shortest, longest = self._settings.backoff
        ceiling = self._settings.patience if patient else min(longest, shortest * 2.0 ** min(attempt, _MOST_DOUBLINGS))
        return ceiling * self._jitter()


def _one(handler: Handler, topic: str, payload: bytes) -> Future[None]:
    """Let one handler begin now: a task for each message would cost more than what most of them do."""
    try:
        handling = handler(topic, payload)
    except Exception as error:  # noqa: BLE001 - the message is done with
        _say_failed(topic, error)
        handling = None
    if handling is None:
        done: Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done
    handled = asyncio.ensure_future(handling)
    handled.add_done_callback(partial(_look_at, topic))
    return handled


async def _all(handlers: Iterable[Handler], topic: str, payload: bytes) -> None:
    for handler in handlers:
        try:
            handling = handler(topic, payload)
            if handling is not None:
                await handling
        except Exception as error:  # noqa: BLE001 - the message and the others go on
            _say_failed(topic, error)


def _look_at(topic: str, handled: Future[None]) -> None:
    """Whatever a handler does, the message is done with."""
    if not handled.cancelled() and (error := handled.exception()) is not None:
        _say_failed(topic, error)


def _say_failed(topic: str, error: BaseException) -> None:
    _log.error("the handler of a message on %r failed", topic, exc_info=error)
