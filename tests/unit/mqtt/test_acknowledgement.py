"""A PUBACK counts only with its reason code."""

from __future__ import annotations

import asyncio

import pytest
from gmqtt.mqtt.handler import MqttPackageHandler

from gateway.errors import Misconfigured
from gateway.mqtt import LinkLost, LinkSettings
from gateway.mqtt.acknowledgement import Acknowledgements, require_hooks
from gateway.mqtt.client import Client


def make():
    acknowledgements = Acknowledgements(clock=lambda: 5.0)
    client = Client(LinkSettings(host="nowhere", client_id="gateway"), acknowledgements, lambda *_: asyncio.Future())
    return acknowledgements, client._package_handler


async def test_the_reason_of_a_puback_reaches_its_future():
    acknowledgements, handler = make()
    acknowledgements.push_message(7, b"")
    handler._handle_packet(0x40, b"\x00\x07\x87\x07\x1f\x00\x04nope")
    ack = await acknowledgements.latest
    assert (ack.reason, ack.text, ack.denied, len(acknowledgements)) == (0x87, "nope", True, 0)


async def test_a_puback_whose_reason_was_not_read_is_never_a_success():
    acknowledgements, handler = make()
    del handler._handle_puback_packet  # as if gmqtt called something else
    acknowledgements.push_message(7, b"")
    handler._handle_packet(0x40, b"\x00\x07")
    with pytest.raises(LinkLost, match="hides the reason codes"):
        await acknowledgements.latest


async def test_a_puback_for_nothing_in_flight_is_ignored():
    acknowledgements, handler = make()
    acknowledgements.push_message(7, b"")
    handler._handle_packet(0x40, b"\x00\x08")
    assert (acknowledgements.latest.done(), len(acknowledgements)) == (False, 1)


async def test_gmqtt_finds_nothing_to_replay():
    acknowledgements, _ = make()
    acknowledgements.push_message(7, b"packet")
    acknowledgements.clear()
    await asyncio.wait_for(acknowledgements.wait_empty(), 1)
    assert (acknowledgements.is_empty, acknowledgements.get_all(), len(acknowledgements)) == (True, [], 1)
    assert (bool(acknowledgements), acknowledgements.oldest) == (True, 5.0)


def test_a_gmqtt_without_the_hook_is_refused_with_its_version(monkeypatch):
    monkeypatch.delattr(MqttPackageHandler, "_handle_puback_packet")
    with pytest.raises(Misconfigured, match=r"gmqtt 0\.\d+\.\d+ has no _handle_puback_packet"):
        require_hooks()


async def test_a_message_is_acknowledged_when_its_future_is_done_and_not_before():
    handled = asyncio.get_running_loop().create_future()
    seen = []
    acknowledgements = Acknowledgements(clock=lambda: 5.0)

    def receive(topic, payload, *, retained):
        seen.append((topic, payload, retained))
        return handled

    client = Client(LinkSettings(host="nowhere", client_id="gateway"), acknowledgements, receive)
    handler, acknowledged = client._package_handler, []
    handler._send_puback = acknowledged.append
    handler._handle_packet(0x33, b"\x00\x01t\x00\x09\x00payload")
    assert seen == [("t", b"payload", True)]
    await asyncio.sleep(0)
    assert acknowledged == []

    handled.set_result(None)
    await asyncio.sleep(0)

    assert acknowledged == [9]
