"""Reads a CONNECT before the embedded broker's amqtt sees it: amqtt changes sessions before it knows who asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from amqtt.adapters import BufferReader
from amqtt.errors import AMQTTError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket

from gateway.mqtt.permissions import Logins, Permissions

_CONNECT = 0x10
_LEVEL_311 = 4
_LEVEL_5 = 5
_LONGEST_CLIENT_ID = 256

_CONNACK_V5_UNSUPPORTED = b"\x20\x03\x00\x84\x00"
_CONNACK_UNSUPPORTED = b"\x20\x02\x00\x01"
CONNACK_UNAVAILABLE = b"\x20\x02\x00\x03"
_CONNACK_CLIENT_ID = b"\x20\x02\x00\x02"
_CONNACK_CREDENTIALS = b"\x20\x02\x00\x04"
_CONNACK_NOT_AUTHORISED = b"\x20\x02\x00\x05"


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A CONNECT that is welcome.

    Args:
        client_id: the client's own behind its user's name, so that no user can take the session of another.
        keepalive: seconds, 0 for none.
        packet: the CONNECT for amqtt, with this client id, without the password, and without the keepalive: amqtt
            would make a task of each read to watch it, and do nothing about silence.
    """

    username: str
    client_id: str
    permissions: Permissions
    keepalive: int
    packet: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A CONNECT that is not: the CONNACK to answer, empty for none, and the reason for the log."""

    reason: str
    packet: bytes = field(default=b"", repr=False)


async def greet(packet: bytes, logins: Logins) -> Greeting | Refusal:
    """Decide on a client by its first packet."""
    if packet[0] != _CONNECT:
        return Refusal(reason="its first packet is no CONNECT")
    level = _protocol_level(packet)
    if level == _LEVEL_5:
        return Refusal(reason="it speaks MQTT 5, the embedded broker 3.1.1", packet=_CONNACK_V5_UNSUPPORTED)
    if level != _LEVEL_311:
        return Refusal(reason=f"it speaks protocol level {level}, not MQTT 3.1.1", packet=_CONNACK_UNSUPPORTED)
    try:
        connect = await ConnectPacket.from_stream(BufferReader(packet))
    except (AMQTTError, MQTTError, NoDataError, ValueError):
        return Refusal(reason="its CONNECT is malformed")
    return _judge(connect, logins)


def _judge(connect: ConnectPacket, logins: Logins) -> Greeting | Refusal:
    username = connect.username or ""
    permissions = logins.login(username, connect.password or "")
    if permissions is None:
        return Refusal(reason=f"wrong user name or password for {username[:80]!r}", packet=_CONNACK_CREDENTIALS)
    nameless = connect.payload is None or connect.payload.client_id_is_random
    if (nameless and not connect.clean_session_flag) or len(connect.client_id or "") > _LONGEST_CLIENT_ID:
        return Refusal(reason=f"user {username!r} has no usable client id", packet=_CONNACK_CLIENT_ID)
    if connect.will_flag and not permissions.may_publish(connect.will_topic or ""):
        return Refusal(
            reason=f"user {username!r} may not have a last will on {connect.will_topic!r}",
            packet=_CONNACK_NOT_AUTHORISED,
        )
    return _greeting(connect, username, permissions)


def _greeting(connect: ConnectPacket, username: str, permissions: Permissions) -> Greeting:
    client_id = f"{username}/{connect.client_id}"
    connect.client_id = client_id
    keepalive, connect.keep_alive = connect.keep_alive, 0
    connect.password_flag = False
    return Greeting(
        username=username,
        client_id=client_id,
        permissions=permissions,
        keepalive=keepalive,
        packet=connect.to_bytes(),
    )


def _protocol_level(packet: bytes) -> int:
    start = next((place for place in range(1, min(5, len(packet))) if packet[place] < 0x80), 1) + 1  # noqa: PLR2004
    name = int.from_bytes(packet[start : start + 2])
    level = packet[start + 2 + name : start + 3 + name]
    return level[0] if level else 0
