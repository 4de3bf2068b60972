"""PUBLISH packets: how many bytes they have, as brokers count them against their maximum, and what they are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LENGTH = 2
_PACKET_ID = 2
_EXPIRY = 1 + 4
_PUBLISH = 3
_CONTINUED = 0x80


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
