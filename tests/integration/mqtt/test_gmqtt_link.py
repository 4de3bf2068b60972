"""The link through gmqtt against a real Mosquitto: what the broker says reaches who must know."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import gmqtt
import pytest
import uvloop

from gateway.mqtt import GmqttLink, LinkLost, LinkSettings, Version
from tests.brokers import Mosquitto, Proxy, eventually, free_port

BOTH = pytest.mark.parametrize("version", list(Version))


def settings(broker, **changes):
    given = LinkSettings(host="127.0.0.1", port=broker.port, client_id="gateway", backoff=(0.02, 0.1), patience=0.1)
    return replace(given, **changes)


@asynccontextmanager
async def running(link):
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def connected(broker, **changes):
    async with running(GmqttLink(settings(broker, **changes))) as link:
        await asyncio.wait_for(link.wait_connected(), 10)
        yield link


async def acked(future):
    return await asyncio.wait_for(future, 10)


async def test_the_brokers_reason_for_a_denial_comes_through(mosquitto):
    broker = mosquitto(acl="pattern readwrite t/#\n")
    async with connected(broker) as link:
        ack = await acked(link.publish("denied", b""))
    assert (ack.denied, ack.reason) == (True, 0x87)


async def test_the_override_is_what_gmqtt_calls_for_every_acknowledgement(mosquitto, monkeypatch):
    monkeypatch.setattr("gateway.mqtt.acknowledgement.Acknowledgements.override", lambda self, handler: None)
    async with connected(mosquitto()) as link:
        with pytest.raises(LinkLost, match="hides the reason codes"):
            await acked(link.publish("t/x", b""))


async def test_over_tls_the_link_knows_when_the_certificate_of_the_broker_ends(mosquitto, authority):
    server = authority.sign("localhost")
    broker = mosquitto(options=(f"certfile {server.cert}", f"keyfile {server.key}"))
    async with connected(broker, tls=ssl.create_default_context(cafile=authority.ca)) as link:
        two_days = time.time() + 2 * 86_400
        assert two_days - 600 < link.certificate_end <= two_days
    assert link.certificate_end is None


async def test_without_tls_no_certificate_ends(mosquitto):
    async with connected(mosquitto()) as link:
        assert link.certificate_end is None


async def listen(broker, version=gmqtt.constants.MQTTv50):
    got = []
    client = gmqtt.Client("watcher")
    client.on_message = lambda _, topic, payload, qos, properties: got.append((topic, payload, qos, properties))
    subscribed = asyncio.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    await client.connect("127.0.0.1", broker.port, version=version)
    client.subscribe("t/#", qos=1)
    await asyncio.wait_for(subscribed.wait(), 5)
    return client, got


async def test_expiry_content_type_and_user_properties_arrive_on_mqtt_5(mosquitto):
    broker = mosquitto()
    watcher, got = await listen(broker)
    async with connected(broker) as link:
        await acked(
            link.publish("t/x", b"1", expiry=60, content_type="application/json", properties=[("id", "7"), ("ä", "ö")])
        )
        await eventually(lambda: got)
    await watcher.disconnect()
    topic, payload, qos, extras = got[0]
    assert (topic, payload, qos, extras["retain"]) == ("t/x", b"1", 1, 0)
    assert extras["message_expiry_interval"][0] in {59, 60}
    assert (extras["content_type"], extras["user_property"]) == (["application/json"], [("id", "7"), ("ä", "ö")])


async def test_properties_are_left_out_on_mqtt_3_1_1(mosquitto):
    broker = mosquitto()
    watcher, got = await listen(broker)
    async with connected(broker, version=Version.V311) as link:
        await acked(link.publish("t/x", b"1", expiry=60, content_type="text/plain", properties=[("id", "7")]))
        await eventually(lambda: got)
    await watcher.disconnect()
    assert (got[0][:2], set(got[0][3])) == (("t/x", b"1"), {"dup", "retain"})


@BOTH
async def test_the_window_stays_below_the_brokers_receive_maximum(mosquitto, version):
    broker = mosquitto(options=("max_inflight_messages 10",))
    async with connected(broker, window=100, version=version) as link:
        assert link.free == (6 if version is Version.V5 else 100)
        await asyncio.gather(*(link.publish("t/x", b"") for _ in range(link.free)))


@asynccontextmanager
async def scripted(*answers):
    """A broker that answers each packet with the next bytes."""

    async def serve(reader, writer):
        for answer in answers:
            await reader.read(65536)
            writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_the_brokers_disconnect_reason_reaches_the_publisher_and_the_log(caplog):
    disconnect = b"\xe0\x09\x8e\x07\x1f\x00\x04move"
    async with scripted(b"\x20\x03\x00\x00\x00", disconnect) as port:
        given = LinkSettings(host="127.0.0.1", port=port, client_id="a", backoff=(60, 60))
        async with running(GmqttLink(given)) as link:
            await asyncio.wait_for(link.wait_connected(), 10)
            with pytest.raises(LinkLost, match=r"session taken over.*\(0x8E, 'move'\)") as lost:
                await acked(link.publish("t/x", b""))
            await eventually(lambda: "0x8E" in caplog.text)
            assert (lost.value.alone, "session taken over" in link.last_error) == (True, True)


async def test_a_malformed_disconnect_ends_the_connection_with_its_code():
    async with scripted(b"\x20\x03\x00\x00\x00", b"\xe0\x02\x8b\x80") as port:
        given = LinkSettings(host="127.0.0.1", port=port, client_id="a", backoff=(60, 60))
        async with running(GmqttLink(given)) as link:
            await asyncio.wait_for(link.wait_connected(), 10)
            with pytest.raises(LinkLost, match=r"server shutting down \(0x8B\)"):
                await acked(link.publish("t/x", b""))


async def test_a_malformed_acknowledgement_counts_by_its_code():
    async with scripted(b"\x20\x03\x00\x00\x00", b"\x40\x04\x00\x01\x97\x80") as port:
        given = LinkSettings(host="127.0.0.1", port=port, client_id="a")
        async with running(GmqttLink(given)) as link:
            await asyncio.wait_for(link.wait_connected(), 10)
            assert (await acked(link.publish("t/x", b""))).reason == 0x97


@pytest.mark.parametrize("codes", [b"", b"\x01\x01"])
async def test_too_few_and_too_many_codes_for_a_subscription_end_the_connection_and_not_the_link(codes):
    suback = bytes([0x90, 3 + len(codes), 0, 1, 0]) + codes
    async with scripted(b"\x20\x03\x00\x00\x00", suback) as port:
        link = GmqttLink(LinkSettings(host="127.0.0.1", port=port, client_id="a", backoff=(60, 60)))
        await link.subscribe("t/#", lambda *_: None)
        async with running(link):
            await eventually(lambda: f"{len(codes)} codes for 1 subscriptions" in link.last_error)


async def test_a_refusal_with_a_code_of_3_1_1_is_not_taken_for_silence():
    async with scripted(b"\x20\x02\x00\x03") as port:
        given = LinkSettings(host="127.0.0.1", port=port, client_id="a", version=Version.V311, backoff=(60, 60))
        async with running(GmqttLink(given)) as link:
            await eventually(lambda: "server unavailable (0x03)" in link.last_error)


@BOTH
async def test_wrong_credentials_are_said_and_tried_again(mosquitto, version, caplog):
    broker = mosquitto(users={"gateway": "right"})
    changes = {"username": "gateway", "password": "wrong-password", "version": version}
    async with running(GmqttLink(settings(broker, **changes), jitter=lambda: 1.0)) as link:
        await eventually(lambda: caplog.text.count("not authorised") + caplog.text.count("bad user name") >= 3)
        assert (link.connected, "refused" in link.last_error) == (False, True)
    assert "wrong-password" not in caplog.text
    assert {record.levelno for record in caplog.records if record.name == "gateway.mqtt.link"} == {logging.ERROR}


async def test_a_broker_that_is_not_there_is_waited_for(tmp_path):
    broker = Mosquitto(tmp_path)
    async with running(GmqttLink(settings(broker))) as link:
        await eventually(lambda: "cannot reach the broker" in link.last_error)
        await asyncio.to_thread(broker.start)
        await asyncio.wait_for(link.wait_connected(), 10)
    broker.kill()


async def test_a_broker_that_never_answers_is_given_up_with_the_likely_cause():
    writers = []
    silent = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    given = LinkSettings(host="127.0.0.1", port=port, client_id="a", connect_timeout=0.05)
    async with running(GmqttLink(given)) as link:
        await eventually(lambda: "does it speak MQTT 5?" in link.last_error)
        assert "0.05 s" in link.last_error
    for writer in writers:
        writer.transport.abort()
    silent.close()
    await silent.wait_closed()


async def test_a_connection_without_acknowledgements_is_made_anew(mosquitto):
    broker = mosquitto()
    proxy = Proxy(broker.port)
    await proxy.start()
    async with connected(proxy, ack_timeout=0.1) as link:
        proxy.hold()
        with pytest.raises(LinkLost, match=r"acknowledged nothing for 0\.1 s"):
            await acked(link.publish("t/x", b""))
        proxy.restore()
        await asyncio.wait_for(link.wait_connected(), 10)
        assert (await acked(link.publish("t/x", b""))).denied is False
    await proxy.stop()


async def test_a_sigkilled_broker_is_found_again_on_its_port(mosquitto):
    broker = mosquitto()
    async with connected(broker) as link:
        broker.kill()
        await eventually(lambda: not link.connected)
        await asyncio.to_thread(broker.start)
        await asyncio.wait_for(link.wait_connected(), 10)
        assert (await acked(link.publish("t/x", b""))).denied is False


async def test_what_came_while_the_gateway_was_away_waits_for_it(mosquitto):
    broker, got = mosquitto(), []

    async def handler(_, payload):
        got.append(payload)

    async def subscribed():
        link = GmqttLink(settings(broker))
        await link.subscribe("t/#", handler)
        return link

    async with running(await subscribed()) as link:
        await asyncio.wait_for(link.wait_connected(), 10)
    async with connected(broker, client_id="bot") as bot:
        await acked(bot.publish("t/x", b"receipt"))
    async with running(await subscribed()):
        await eventually(lambda: got == [b"receipt"])


async def test_the_pauses_double_up_to_the_longest_and_refusals_wait_longest():
    link = GmqttLink(LinkSettings(host="h", client_id="a", backoff=(0.5, 5.0), patience=15.0), jitter=lambda: 1.0)
    assert [link._pause(attempt, patient=False) for attempt in (0, 1, 2, 10, 10_000)] == [0.5, 1.0, 2.0, 5.0, 5.0]
    assert link._pause(0, patient=True) == 15.0


async def test_a_port_that_nobody_listens_on_does_not_stop_run():
    given = LinkSettings(host="127.0.0.1", port=free_port(), client_id="a", backoff=(0.001, 0.002))
    link = GmqttLink(given)
    task = asyncio.create_task(link.run())
    await eventually(lambda: "cannot reach" in link.last_error)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


def test_it_works_on_uvloop(mosquitto):
    broker, got = mosquitto(), []

    async def handler(_, payload):
        got.append(payload)

    async def main():
        async with connected(broker) as link:
            await link.subscribe("t/#", handler)
            for number in range(100):
                await acked(link.publish("t/x", b"%d" % number, properties=[("a", "b")]))
            broker.kill()
            await eventually(lambda: not link.connected)

    uvloop.run(main())
    assert len(got) == 100
