"""MQTT packets as bytes, for a client that examines a broker: what it says, and what it reads of the answers."""

# gmqtt has no annotations
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gmqtt.mqtt.property import Property
from gmqtt.mqtt.utils import unpack_variable_byte_integer

from gateway.mqtt.model import Version

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14

_SESSION_EXPIRY, _RECEIVE_MAXIMUM = b"\x11", b"\x21"
_CLEAN, _USERNAME, _PASSWORD = 0x02, 0x80, 0x40
_CONTINUED = 0x80
_HEAD = 100
_WITH_EXPIRY = 6
"""Bytes of a DISCONNECT's reason and session expiry, with the length of its properties before the latter."""


class Heard(NamedTuple):
    """A message that the broker delivered; ``packet_id`` is 0 with QoS 0, ``head`` how the payload begins."""

    topic: str
    head: bytes
    size: int
    retained: bool
    packet_id: int


def connect(
    version: Version,
    client_id: str,
    *,
    login: tuple[str, str] | None,
    clean: bool,
    keepalive: int,
    session_expiry: int,
    receive_maximum: int,
) -> bytes:
    """A CONNECT without a will; on MQTT 3.1.1 the last two are left out."""
    flags = (_CLEAN if clean else 0) | (_USERNAME | _PASSWORD if login else 0)
    body = _text("MQTT") + bytes([version, flags]) + keepalive.to_bytes(2)
    if version is Version.V5:
        told = _SESSION_EXPIRY + session_expiry.to_bytes(4) + _RECEIVE_MAXIMUM + receive_maximum.to_bytes(2)
        body += bytes([len(told)]) + told
    body += _text(client_id) + b"".join(map(_text, login or ()))
    return packet(CONNECT << 4, body)


def subscribe(version: Version, packet_id: int, filters: tuple[str, ...], *, qos: int) -> bytes:
    """A SUBSCRIBE to filters."""
    body = packet_id.to_bytes(2) + (b"\x00" if version is Version.V5 else b"")
    return packet(SUBSCRIBE << 4 | 2, body + b"".join(_text(wanted) + bytes([qos]) for wanted in filters))


def puback(packet_id: int) -> bytes:
    """A PUBACK of success."""
    return packet(PUBACK << 4, packet_id.to_bytes(2))


def ping() -> bytes:
    """A PINGREQ."""
    return packet(PINGREQ << 4, b"")


def disconnect(version: Version, *, forget: bool) -> bytes:
    """A DISCONNECT; ``forget``: also what is left of the session, where MQTT 5 lets a client say so."""
    if version is Version.V5 and forget:
        return packet(DISCONNECT << 4, bytes([0, _WITH_EXPIRY - 1]) + _SESSION_EXPIRY + bytes(4))
    return packet(DISCONNECT << 4, b"")


def packet(head: int, body: bytes) -> bytes:
    """A packet of its first byte and its body."""
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length.append(digit | (_CONTINUED if rest else 0))
        if not rest:
            return bytes([head]) + bytes(length) + body


def properties(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The properties at the beginning of some bytes, by their names in gmqtt, and what follows them.

    Raises:
        ValueError: they are malformed.
    """
    found: dict[str, Any] = {}
    try:
        length, rest = unpack_variable_byte_integer(data)
        rest, after = rest[:length], rest[length:]
        while rest:
            one, rest = Property.factory(id_=rest[0]).loads(rest[1:])
            found |= one
    except Exception as error:  # gmqtt's table has no errors of its own
        raise ValueError(f"the properties are malformed ({error!r})") from error
    return found, bytes(after)


def read_publish(head: int, body: bytes, version: Version) -> Heard:
    """What a PUBLISH says.

    Raises:
        ValueError: it is malformed.
    """
    length = int.from_bytes(body[:2])
    topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
    packet_id = 0
    if head & 0x06:
        packet_id, rest = int.from_bytes(rest[:2]), rest[2:]
    if version is Version.V5:
        _, rest = properties(rest)
    return Heard(topic, bytes(rest[:_HEAD]), len(rest), bool(head & 1), packet_id)


def read_codes(body: bytes, version: Version) -> list[int]:
    """The codes of a SUBACK.

    Raises:
        ValueError: it is malformed.
    """
    return list(properties(body[2:])[1] if version is Version.V5 else body[2:])


def read_connack(body: bytes, version: Version) -> tuple[bool, int, Mapping[str, Any]]:
    """Whether the session is there, the code, and the properties of a CONNACK.

    Raises:
        ValueError: it is malformed.
    """
    if len(body) < 2:  # noqa: PLR2004
        raise ValueError("the broker's CONNACK is too short")
    told = properties(body[2:])[0] if version is Version.V5 and len(body) > 2 else {}  # noqa: PLR2004
    return bool(body[0] & 1), body[1], told


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2) + data
