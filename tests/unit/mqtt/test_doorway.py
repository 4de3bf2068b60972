"""A CONNECT is judged before the embedded broker sees it."""

from __future__ import annotations

import pytest
from amqtt.adapters import BufferReader
from amqtt.mqtt.connect import ConnectPacket, ConnectPayload, ConnectVariableHeader

from gateway.mqtt import Permissions
from gateway.mqtt.doorway import Greeting, Refusal, greet


class Logins:
    def login(self, username, password):
        return Permissions(publish=("own/#",)) if (username, password) == ("bot", "secret") else None


def connect(*, username="bot", password="secret", client_id="c", will=None, clean=False, level=4):
    payload = ConnectPayload(client_id=client_id, will_topic=will, will_message=b"w")
    packet = ConnectPacket(variable_header=ConnectVariableHeader(proto_level=level), payload=payload)
    packet.keep_alive, packet.clean_session_flag, packet.will_flag = 30, clean, will is not None
    if username is not None:
        packet.username, packet.username_flag = username, True
    if password is not None:
        packet.password, packet.password_flag = password, True
    return packet.to_bytes()


async def test_a_client_that_logs_in_is_welcome_under_its_users_name_and_amqtt_sees_neither_password_nor_keepalive():
    greeting = await greet(connect(), Logins())
    assert isinstance(greeting, Greeting)
    seen = await ConnectPacket.from_stream(BufferReader(greeting.packet))
    assert (seen.client_id, seen.username, seen.password, seen.keep_alive) == ("bot/c", "bot", None, 0)
    assert greeting.keepalive == 30
    assert (greeting.client_id, b"secret" in greeting.packet, "secret" in repr(greeting)) == ("bot/c", False, False)


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        (connect(password="wrong"), b"\x20\x02\x00\x04"),
        (connect(username="other"), b"\x20\x02\x00\x04"),
        (connect(username=None, password=None), b"\x20\x02\x00\x04"),
        (connect(level=5), b"\x20\x03\x00\x84\x00"),
        (connect(level=3), b"\x20\x02\x00\x01"),
        (connect(will="signals/v1/trade/x"), b"\x20\x02\x00\x05"),
        (connect(client_id=""), b"\x20\x02\x00\x02"),
        (connect(client_id="x" * 300), b"\x20\x02\x00\x02"),
        (b"\xc0\x00", b""),
        (connect()[:8], b"\x20\x02\x00\x01"),
        (connect()[:16], b"\x20\x02\x00\x04"),
        (b"\x10\x00", b"\x20\x02\x00\x01"),
    ],
)
async def test_a_client_that_may_not_come_in_gets_the_reason_in_its_connack(packet, answer):
    refusal = await greet(packet, Logins())
    assert isinstance(refusal, Refusal)
    assert (refusal.packet, "secret" in refusal.reason) == (answer, False)


async def test_a_will_that_may_be_published_and_a_nameless_client_with_a_clean_session_are_welcome():
    assert isinstance(await greet(connect(will="own/x"), Logins()), Greeting)
    assert isinstance(await greet(connect(client_id="", clean=True), Logins()), Greeting)
