"""What the gateway asks of a broker connection, whichever client library and broker are behind it."""

from __future__ import annotations

import ssl
from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Protocol

Handler = Callable[[str, bytes], Awaitable[None] | None]
"""Takes a topic and a payload; the message is done with when what it returns is, at once where that is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What ``Link.subscribe`` was asked for."""

    handler: Handler
    qos: int = 1
    retained: bool = True
    new: bool = True

    def takes(self, *, retained: bool) -> bool:
        """Whether a message is for the handler: one that the broker had kept before, or a new one."""
        return self.retained if retained else self.new


class Version(IntEnum):
    """The MQTT version as its protocol level."""

    V311 = 4
    V5 = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes, retained, when the gateway vanishes."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How to reach the broker.

    Args:
        window: publishes in flight at most; lowered to what the broker's Receive Maximum allows.
        keepalive: seconds.
        connect_timeout: seconds until an attempt is given up; a broker of another version may never answer.
        ack_timeout: seconds without an acknowledgement after which the connection is made anew.
        backoff: seconds of the first and of the longest pause between attempts; full jitter between.
        patience: seconds of the longest pause where the broker refuses for good, as for a wrong password.
        session_expiry: seconds that the broker keeps what the gateway subscribed to while it is away.
        max_packet_size: bytes of a packet that the broker takes, where it is known; on MQTT 5 the broker may say less.
    """

    host: str
    port: int = 1883
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    version: Version = Version.V5
    window: int = 16
    keepalive: int = 30
    connect_timeout: float = 5.0
    ack_timeout: float = 20.0
    backoff: tuple[float, float] = (0.2, 5.0)
    patience: float = 15.0
    session_expiry: int = 3600
    max_packet_size: int | None = None
    will: Will | None = None


@dataclass(frozen=True, slots=True)
class Ack:
    """The broker's PUBACK. ``reason`` is its MQTT 5 reason code, 0 on 3.1.1; ``text`` its own words, if any."""

    reason: int = 0
    text: str = ""

    NO_MATCHING_SUBSCRIBERS: ClassVar[int] = 0x10

    @property
    def denied(self) -> bool:
        """Whether the broker refused the message."""
        return self.reason >= 0x80  # noqa: PLR2004

    @property
    def unheard(self) -> bool:
        """Whether the broker said that nobody listens."""
        return self.reason == self.NO_MATCHING_SUBSCRIBERS


class LinkLost(ConnectionError):
    """The connection ended before the acknowledgement came: the broker may have the message or not.

    Args:
        alone: whether this publish was the only one in flight.
        reason: what is known of the end, the broker's DISCONNECT reason where it gave one.
    """

    def __init__(self, reason: str, *, alone: bool = False) -> None:
        self.alone = alone
        super().__init__(reason)


class PacketTooLarge(ValueError):
    """The message is larger than the broker accepts; it was not sent. Sizes are bytes of the whole packet."""

    def __init__(self, *, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(f"the packet has {size} bytes; the broker accepts {limit}")


class SubscriptionDenied(PermissionError):
    """The broker refuses a subscription: its access rules, or what it supports, must change."""

    def __init__(self, topic_filter: str, reason: str) -> None:
        self.topic_filter = topic_filter
        self.reason = reason
        super().__init__(f"the broker refused the subscription to {topic_filter}: {reason}")


class Link(Protocol):
    """A connection to the broker that is made again whenever it ends."""

    @property
    def version(self) -> Version:
        """The MQTT version that is spoken."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the broker accepted the connection and it lives."""
        ...

    @property
    def free(self) -> int:
        """How many publishes may be sent now without waiting; 0 while not connected."""
        ...

    @property
    def last_error(self) -> str:
        """Why there is no connection, or why the last one ended; empty while connected."""
        ...

    async def wait_connected(self) -> None:
        """Return when connected."""
        ...

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
        """Send one message with QoS 1, now. ``expiry`` is in seconds; the last three are left out on MQTT 3.1.1.

        The future fails with LinkLost when the connection ends first.

        Raises:
            LinkLost: not connected, or no place in the window (``free`` is 0).
            PacketTooLarge: the broker does not accept a packet of this size.
        """
        ...

    async def subscribe(
        self, topic_filter: str, handler: Handler, *, qos: int = 1, retained: bool = True, new: bool = True
    ) -> None:
        """Hand every message of a filter to a handler; again after every reconnect.

        A message is acknowledged after its handler is done with it; handlers are started in the order of arrival. One
        that raises is logged and its message acknowledged. Subscribe before ``run``, so that what the broker kept while
        the gateway was away finds its handler: what nobody handles is acknowledged and logged. Filters must not
        overlap: brokers deliver a message once for each.

        While not connected it returns at once, and a refusal is logged when the connection is made.

        Args:
            topic_filter: what to listen to.
            handler: gets each message.
            qos: the highest that the broker is asked for; with 0 it may drop messages, and keeps none.
            retained: whether messages that the broker had kept before, of which nobody knows how old they are, count.
            new: whether messages that are published while it listens count.

        Raises:
            SubscriptionDenied: connected, and the broker refuses.
            LinkLost: the connection ended before the broker answered; the subscription is made at the next.
        """
        ...

    def heard(self, topic: str) -> bool | None:
        """Whether anyone subscribes to a topic, where the broker's own tables can be asked; None where they cannot."""
        ...

    async def run(self) -> None:
        """Connect, and again after every loss or refusal, until cancelled; a clean DISCONNECT at the end.

        A refusal that only an operator can mend is logged, kept in ``last_error`` and tried again after a long pause:
        brokers also answer so while they start, and intake goes on meanwhile.
        """
        ...
