"""PUBLISH packets: written, counted as brokers count them against their maximum, and read for what they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

_LENGTH = 2
_PACKET_ID = 2
_EXPIRY = 1 + 4
_PUBLISH = 3
_CONTINUED = 0x80
_QOS_1 = _PUBLISH << 4 | 1 << 1
_EXPIRY_ID, _CONTENT_TYPE_ID, _USER_PROPERTY_ID = b"\x02", b"\x03", b"\x26"


class Publish(NamedTuple):
    """A message with QoS 1; ``properties`` by their names in gmqtt, None for MQTT 3.1.1, which has none."""

    topic: str
    payload: bytes
    retain: bool
    properties: Mapping[str, Any] | None

    def packet(self, packet_id: int) -> bytes:
        """Write the packet: the bytes that gmqtt writes, which takes three times as long over many properties."""
        head = _packed(self.topic) + packet_id.to_bytes(_PACKET_ID)
        if self.properties is not None:
            inner = b"".join(_packed_properties(self.properties))
            head += _packed_length(len(inner)) + inner
        length = _packed_length(len(head) + len(self.payload))
        return b"%c%b%b%b" % (_QOS_1 | self.retain, length, head, self.payload)


def _packed_properties(properties: Mapping[str, Any]) -> Iterator[bytes]:
    for name, value in properties.items():
        if name == "message_expiry_interval":
            yield _EXPIRY_ID + value.to_bytes(4)
        elif name == "content_type":
            yield _CONTENT_TYPE_ID + _packed(value)
        elif name == "user_property":
            for key, text in value:
                yield _begun(key)
                yield _packed(text)


@lru_cache(maxsize=256)
def _begun(name: str) -> bytes:
    """How a user property begins; there are few names."""
    return _USER_PROPERTY_ID + _packed(name)


def _packed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(_LENGTH) + data


def _packed_length(value: int) -> bytes:
    packed = bytearray()
    while value >= _CONTINUED:
        packed.append(value % _CONTINUED | _CONTINUED)
        value //= _CONTINUED
    packed.append(value)
    return bytes(packed)


def publish_size(topic: str, payload: bytes, properties: Mapping[str, Any]) -> int:
    """Bytes of an MQTT 5 PUBLISH with QoS 1 and these properties, by their names in gmqtt."""
    inner = _properties_size(properties)
    remaining = _LENGTH + len(topic.encode()) + _PACKET_ID + _variable_length(inner) + inner + len(payload)
    return 1 + _variable_length(remaining) + remaining


def published_topic(packet: bytes) -> str | None:
    """The topic of a whole PUBLISH; None for a packet of another type."""
    if packet[0] >> 4 != _PUBLISH:
        return None
    start = next(place for place in range(1, len(packet)) if packet[place] < _CONTINUED) + 1
    return packet[start + _LENGTH : start + _LENGTH + int.from_bytes(packet[start : start + _LENGTH])].decode()


def _properties_size(properties: Mapping[str, Any]) -> int:
    size = _EXPIRY if "message_expiry_interval" in properties else 0
    if "content_type" in properties:
        size += 1 + _text(properties["content_type"])
    return size + sum(1 + _text(name) + _text(value) for name, value in properties.get("user_property", ()))


def _text(text: str) -> int:
    return _LENGTH + len(text if text.isascii() else text.encode())


def _variable_length(value: int) -> int:
    return 1 if value < 0x80 else 2 if value < 0x4000 else 3 if value < 0x200000 else 4  # noqa: PLR2004
