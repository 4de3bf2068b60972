"""What the plugin asks of a broker connection, whichever client library is behind it."""

from __future__ import annotations

import ssl
from asyncio import Future
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

V311, V5 = 4, 5
"""MQTT versions by their protocol level."""

REFUSED = 0x80
"""The first reason code that is a refusal."""

WRONG_VERSION = frozenset({1, 0x84})
"""CONNACK codes that mean: try another version of MQTT."""

_PACKET_OVERHEAD = 10
"""Type, length, length of the topic, packet id and no properties."""

FOR_GOOD = {
    V311: frozenset({1, 2, 4, 5}),
    V5: frozenset({0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x90, 0x95, 0x99, 0x9A, 0x9B, 0x9C, 0x9D}),
}
"""CONNACK codes, by version, that trying again brings again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it arrived.

    Args:
        retained: no proof of age: some brokers set it on queued messages.
        expiry: whole seconds until the broker would have dropped it; None where it does not say (MQTT 3.1.1).
    """

    topic: str
    payload: bytes
    retained: bool = False
    expiry: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker publishes, retained, when the connection ends without a goodbye."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How to reach the broker, and what to listen to.

    Args:
        who: whose connection it is, in words for the log: ``bot demo``.
        filters: topic filters to subscribe with QoS 1; refusing one of them refuses the bot.
        optional: topic filters that the broker may refuse.
        dropped: topic filters that an earlier connection of the session had, and this one does not want.
        versions: the MQTT versions to try, the preferred one first.
        clean: whether the broker forgets the session at the end of the connection.
        session_expiry: seconds that the broker keeps messages for an absent bot (MQTT 5).
        connect_timeout: seconds until an attempt with one version is given up; some brokers never answer MQTT 5.
        backoff: seconds of the first and of the longest pause between attempts; full jitter between.
        patience: seconds between attempts when the broker refuses a bot that it accepted before.
        window: publishes in flight at most; lowered to what the broker's Receive Maximum allows.
        ack_timeout: seconds without an acknowledgement after which the connection is made anew.
    """

    host: str
    port: int = 1883
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    who: str = ""
    filters: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    versions: tuple[int, ...] = (V5, V311)
    clean: bool = False
    session_expiry: int = 86_400
    keepalive: int = 15
    connect_timeout: float = 3.0
    backoff: tuple[float, float] = (0.2, 5.0)
    patience: float = 60.0
    window: int = 64
    ack_timeout: float = 20.0
    will: Will | None = None


Receive = Callable[[Message], Awaitable[None]]
"""Takes a message; it is acknowledged when the coroutine returns. It never raises."""


Before = Callable[[], Awaitable[None]]


async def at_once() -> None:
    """Wait for nothing before an attempt."""


class Link(Protocol):
    """A connection to the broker that is made again whenever it ends."""

    @property
    def connected(self) -> bool:
        """Whether the broker accepted the connection and its subscriptions, and it lives."""
        ...

    @property
    def free(self) -> int:
        """How many publishes may be sent now; 0 while not connected."""
        ...

    @property
    def largest(self) -> int | None:
        """Bytes of a packet that the broker takes; None where it does not say, as on MQTT 3.1.1."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> Future[int]:
        """Send one message now; the future is the broker's reason code, or LinkLost.

        Args:
            topic: where to.
            payload: what.
            retain: whether the broker keeps it for who comes later.
            qos: 1, or 0: it may be lost, the future is 0 at once, and ``free`` does not count.

        Raises:
            LinkLost: ``free`` is 0; for QoS 0, the connection is away, or too slow for what was sent already.
        """
        ...

    def renew(self, settings: LinkSettings) -> None:
        """Connect anew with these settings: at once, with a clean DISCONNECT, where it is connected; else next time."""
        ...

    async def run(self, receive: Receive, on_connect: Callable[[], None], before: Before = at_once) -> None:
        """Connect, and again after every loss, until cancelled; a clean DISCONNECT at the end.

        Args:
            receive: is started for each message in the order of arrival.
            on_connect: is called after each connection, when its subscriptions stand.
            before: is awaited before each attempt, but for one that follows a connection at once, as ``renew`` asks.

        Raises:
            LinkRefused: trying again would bring the same answer, and there was no connection before.
            TakenOver: another connection has this client id now.
        """
        ...


def matches(topic_filter: str, topic: str) -> bool:
    """Say whether an MQTT topic filter selects a topic; wildcards do not match a first segment with ``$``."""
    wanted, segments = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    for place, segment in enumerate(wanted):
        if segment == "#":
            return True
        if place >= len(segments) or segment not in {"+", segments[place]}:
            return False
    return len(wanted) == len(segments)


def packet_size(topic: str, payload: bytes) -> int:
    """Bytes that a publish has on the wire, at most: what ``Link.largest`` is about."""
    return _PACKET_OVERHEAD + len(topic.encode()) + len(payload)


def check_filter(topic_filter: str) -> None:
    """Refuse what is no MQTT topic filter.

    Raises:
        ValueError: saying how a wildcard stands.
    """
    segments = topic_filter.split("/")
    alone = all(segment in {"+", "#"} or not set(segment) & set("+#\0") for segment in segments)
    if not topic_filter or not alone or "#" in segments[:-1]:
        raise ValueError(f"{topic_filter!r} is no topic filter: + and # stand alone between slashes, # at the end")


def version_name(version: int) -> str:
    """``5`` or ``3.1.1``."""
    return {V5: "5", V311: "3.1.1"}[version]
