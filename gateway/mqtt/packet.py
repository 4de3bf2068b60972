"""Packets: how many bytes a PUBLISH has, as brokers count them, what it is about, and which are served at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LENGTH = 2
_PACKET_ID = 2
_EXPIRY = 1 + 4
_PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE = 3, 8, 10
_QOS_2 = 0x04
_CONTINUED = 0x80
_LONGEST_TOPIC = 1024
"""Bytes; the longest topic of the contract has some 300."""

_LARGEST_SUBSCRIBE = 16_384


def publish_size(topic: str, payload: bytes, properties: Mapping[str, Any] | None) -> int:
    """Bytes of a PUBLISH with QoS 1 and these properties, by their names in gmqtt; None for MQTT 3.1.1."""
    remaining = _LENGTH + len(topic.encode()) + _PACKET_ID + len(payload)
    if properties is not None:
        inner = _properties_size(properties)
        remaining += _variable_length(inner) + inner
    return 1 + _variable_length(remaining) + remaining


def published_topic(packet: bytes) -> str | None:
    """The topic of a whole PUBLISH; None for a packet of another type."""
    if packet[0] >> 4 != _PUBLISH:
        return None
    start = _body(packet)
    return packet[start + _LENGTH : start + _LENGTH + int.from_bytes(packet[start : start + _LENGTH])].decode()


def unserved(packet: bytes) -> str | None:
    """Why the embedded broker does not serve a whole packet; None for one that it serves."""
    kind = packet[0] >> 4
    if kind == _PUBLISH:
        if packet[0] & _QOS_2:
            return "a message with QoS 2; QoS 0 and 1 are served"
        start = _body(packet)
        if int.from_bytes(packet[start : start + _LENGTH]) > _LONGEST_TOPIC:
            return f"a topic of more than {_LONGEST_TOPIC} bytes"
    elif kind in {_SUBSCRIBE, _UNSUBSCRIBE} and len(packet) > _LARGEST_SUBSCRIBE:
        return f"a list of topic filters of more than {_LARGEST_SUBSCRIBE} bytes"
    return None


def _body(packet: bytes) -> int:
    place = 1
    while packet[place] >= _CONTINUED:
        place += 1
    return place + 1


def _properties_size(properties: Mapping[str, Any]) -> int:
    size = _EXPIRY if "message_expiry_interval" in properties else 0
    if "content_type" in properties:
        size += 1 + _text(properties["content_type"])
    return size + sum(1 + _text(name) + _text(value) for name, value in properties.get("user_property", ()))


def _text(text: str) -> int:
    return _LENGTH + len(text if text.isascii() else text.encode())


def _variable_length(value: int) -> int:
    return 1 if value < 0x80 else 2 if value < 0x4000 else 3 if value < 0x200000 else 4  # noqa: PLR2004
