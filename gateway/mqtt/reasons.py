"""MQTT's reason codes in words, and how to read them where gmqtt does not."""

from __future__ import annotations

from gateway.mqtt.frames import properties

_WORDS = {
    0x00: "normal disconnection",
    0x10: "no matching subscribers",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep alive timeout",
    0x8E: "session taken over: another client connected with the same client id",
    0x8F: "topic filter invalid",
    0x90: "topic name invalid",
    0x91: "packet identifier in use",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format invalid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}

_CONNACK_V311 = {
    1: "unsupported protocol version",
    2: "client identifier not valid",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorised",
}

_PERMANENT = frozenset({1, 2, 4, 5, 0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x9A, 0x9B, 0x9C, 0x9D})

SESSION_TAKEN_OVER = 0x8E


def in_words(code: int, *, text: str = "") -> str:
    """A reason code, and the broker's own words where it gave some, for a person."""
    words = _CONNACK_V311.get(code) or _WORDS.get(code, "unknown reason")
    return f"{words} (0x{code:02X}{f', {text!r}' if text else ''})"


def is_permanent(code: int) -> bool:
    """Whether a refused connection needs an operator, by the CONNACK code of either version."""
    return code in _PERMANENT


def read_reason(body: bytes) -> tuple[int, str]:
    """The reason code and reason string at the end of an MQTT 5 packet; absent ones are 0 and empty.

    The code alone decides; a malformed string behind it is an empty one.
    """
    if not body:
        return 0, ""
    try:
        told = properties(body[1:])[0] if len(body) > 1 else {}
    except ValueError:
        told = {}
    return body[0], str(told.get("reason_string", ""))
