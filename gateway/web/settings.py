"""What the two listeners can be told."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """Where and how to listen.

    Args:
        host: an address or a name; ``localhost`` listens on IPv4 and IPv6.
        port: 0 for any free one.
        setting: what to change when the address cannot be had, ``http.public``.
        drain: seconds that requests may take to finish when the listener stops.
        idle: seconds that a connection may be silent between requests, or while it sends the head of one.
        max_connections: connections at most; what comes beyond is closed at once.
    """

    host: str = "127.0.0.1"
    port: int = 0
    setting: str = "http.public"
    drain: float = 10.0
    idle: float = 30.0
    max_connections: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSettings:
    """How webhooks are taken in.

    Args:
        max_body: bytes of a body, after decompression.
        body_timeout: seconds that a body may take to arrive.
        max_requests: requests in the pipeline at most; more get 503.
        idle: seconds in which more of a body of many lines must arrive.
        max_streams: bodies of many lines that are taken in at most; more get 503.
        max_uploads: requests whose body is still arriving at most; more get 503. Bodies that come together with their
            head, as TradingView's do, do not count.
        allow_from: who may call at all; empty for everyone.
        trusted_proxies: whose ``X-Forwarded-For`` is believed.
    """

    max_body: int = 256 * 1024
    body_timeout: float = 10.0
    max_requests: int = 1024
    max_uploads: int = 256
    max_streams: int = 32
    idle: float = 60.0
    allow_from: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateSettings:
    """How the API is reached.

    Args:
        host: the address it listens on, as in its ListenSettings.
        hosts: the ``Host`` names that are answered besides the loopback's and the address it listens on, without ports.
        max_body: bytes of a body.
    """

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    max_body: int = 64 * 1024
