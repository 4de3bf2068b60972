"""What was seen of a broker: plain facts, which the probes collect and ``judge`` reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CLOSED = -1
"""In place of a code: the broker closed the connection instead of an answer."""

_REFUSED = 0x80


class Kind(Enum):
    """Which broker it is, as far as that decides where a cure belongs."""

    EMBEDDED = "embedded"
    MOSQUITTO = "Mosquitto"
    EMQX = "EMQX"
    OTHER = "another"


def taken(code: int) -> bool:
    """Whether the broker's code for a message or a subscription is one of success."""
    return 0 <= code < _REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Who gets in: the CONNACK's code for each, or ``CLOSED``.

    Args:
        anonymous: a client without a login.
        stranger: a login that nobody has.
        impostor: the gateway's name with a wrong password; None where the gateway has no login.
    """

    anonymous: int
    stranger: int
    impostor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeted:
    """What the broker's CONNACK says to the gateway's login.

    Args:
        version5: whether MQTT 5 is spoken.
        offers5: on MQTT 3.1.1, whether the broker would speak MQTT 5.
        session_expiry: seconds that it keeps a session which asked for ``asked_expiry``.
        receive_maximum: publishes in flight; None where it does not say.
        max_packet_size: bytes; None for any.
    """

    version5: bool
    offers5: bool = False
    asked_expiry: int = 0
    session_expiry: int = 0
    receive_maximum: int | None = None
    max_packet_size: int | None = None
    max_qos: int = 2
    retains: bool = True
    wildcards: bool = True
    shares: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the gateway's login may do.

    Args:
        cannot_publish: topics of its own that it may not publish to.
        cannot_subscribe: filters of its own that it may not subscribe to.
        beyond: the code for a message to a topic that is not its own.
        beyond_heard: whether that message came back to it.
        hears: whether it hears what is published to the doctor's own topic.
        took: seconds until a message was acknowledged.
        largest: the code for a message as large as the largest signal; None where the broker said before that it does
            not take it, or takes no smaller one there either.
        version: what the broker says of itself below ``$SYS``; empty where it says nothing.
    """

    cannot_publish: tuple[str, ...]
    cannot_subscribe: tuple[str, ...]
    beyond: int
    beyond_heard: bool
    hears: bool
    took: float
    largest: int | None
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of messages for a client that was away.

    Args:
        sent: how many were published.
        acknowledged: how many of them the broker took.
        came: how many it got when it was back.
        session_present: whether the broker still had its session.
        expired_came: whether one came that had expired meanwhile; None where messages cannot expire.
    """

    sent: int
    acknowledged: int
    came: int
    session_present: bool
    expired_came: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BotReach:
    """What a bot's login may do.

    Args:
        name: whose.
        code: the CONNACK's code.
        reads: filters that are not its own on which it got a message.
        writes: topics that are not its own to which it may publish.
        unsaid: filters that are not its own on which nobody could say anything, so that they were not tried.
        tried: how many of both were tried.
        told_writes: whether the broker says what it refuses, so that more than one topic could be tried.
        cannot_subscribe: filters of its own that it may not subscribe to.
    """

    name: str
    code: int
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()
    tried: int = 0
    told_writes: bool = True
    cannot_subscribe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How the bytes travel.

    Args:
        encrypted: whether with TLS.
        loopback: whether they stay on this machine.
        expires: when the certificate ends, in seconds since the epoch; None without one.
        old: whether the broker also takes TLS 1.0 or 1.1.
    """

    encrypted: bool
    loopback: bool
    expires: float | None = None
    old: bool = False
