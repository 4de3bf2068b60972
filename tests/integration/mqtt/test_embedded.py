"""The embedded broker lets in whom it knows, to what they may do, within its bounds."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import replace

import pytest

from gateway.errors import Misconfigured
from gateway.mqtt import GmqttLink, LinkSettings, Permissions, SubscriptionDenied, Version, Will
from gateway.mqtt.embedded import EmbeddedBroker, EmbeddedSettings
from tests.brokers import eventually, free_port

SETTINGS = EmbeddedSettings(port=0, max_connections=6, max_packet_size=10_000, max_queued=5)


class Logins(dict):
    """Permissions by user name; every password is the name backwards."""

    def login(self, username, password):
        return self.get(username) if password == username[::-1] else None


class Heard(list):
    async def __call__(self, topic, payload):
        self.append((topic, payload))


@pytest.fixture
async def logins():
    return Logins(
        gateway=Permissions(publish=("signals/#",), subscribe=("receipts/#",)),
        one=Permissions(publish=("receipts/one",), subscribe=("signals/+/x",)),
        two=Permissions(publish=("receipts/two",), subscribe=("signals/#",)),
        three=Permissions(publish=("own/three/#", "receipts/three"), subscribe=("own/three/#", "signals/#")),
    )


@pytest.fixture
async def broker(logins):
    broker = EmbeddedBroker(SETTINGS, logins=logins)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def connect(broker):
    tasks = []

    def start(user, *, wait=True, **changes):
        given = LinkSettings(
            host="127.0.0.1",
            port=broker.port,
            client_id="c",
            username=user,
            password=user[::-1],
            version=Version.V311,
            backoff=(0.02, 0.1),
        )
        link = GmqttLink(replace(given, **changes), heard=broker.heard)
        link.task = asyncio.create_task(link.run())
        tasks.append(link.task)
        return wait_for(link) if wait else link

    yield start
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


async def wait_for(link):
    await asyncio.wait_for(link.wait_connected(), 10)
    return link


async def stop(link):
    link.task.cancel()
    await asyncio.wait({link.task})


async def acked(future):
    return await asyncio.wait_for(future, 10)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"password": "wrong"}, "bad user name or password"),
        ({"username": "nobody"}, "bad user name or password"),
        ({"username": None, "password": None}, "bad user name or password"),
        ({"version": Version.V5}, "unsupported protocol version"),
        ({"will": Will(topic="signals/v1/x", payload=b"")}, "not authorised"),
    ],
)
async def test_who_may_not_come_in_is_told_why_at_once(connect, changes, reason):
    began = time.monotonic()
    link = connect("one", wait=False, **changes)
    await eventually(lambda: reason in link.last_error)
    assert time.monotonic() - began < 2


async def test_a_subscription_must_lie_within_what_is_allowed(connect):
    link = await connect("one")
    await link.subscribe("signals/a/x", Heard())
    for wider in ("signals/#", "signals/+/+", "#", "+/a/x", "$SYS/#", "$share/g/signals/a/x"):
        with pytest.raises(SubscriptionDenied):
            await link.subscribe(wider, Heard())
    assert link.connected


async def test_a_denied_publish_reaches_nobody_and_is_logged_once_with_its_user(connect, caplog):
    heard = Heard()
    await (await connect("two")).subscribe("signals/#", heard)
    one, gateway = await connect("one"), await connect("gateway")
    for _ in range(3):
        await acked(one.publish("signals/v1/x", b"forged"))
    await acked(gateway.publish("signals/v1/x", b"real"))
    await eventually(lambda: heard)
    assert heard == [("signals/v1/x", b"real")]
    await eventually(lambda: "may not publish" in caplog.text)
    denials = [record.getMessage() for record in caplog.records if "may not publish" in record.getMessage()]
    assert denials == ["user 'one' may not publish to 'signals/v1/x'; the broker ignored it"]


async def test_users_with_one_client_id_do_not_share_a_session(connect):
    one, two = await connect("one", client_id="same"), await connect("two", client_id="same")
    heard = Heard()
    await two.subscribe("signals/#", heard)
    gateway = await connect("gateway", client_id="same")
    await acked(gateway.publish("signals/v1/x", b"1"))
    await eventually(lambda: heard)
    assert one.connected
    assert two.connected


async def test_it_knows_who_listens_also_while_they_are_away(connect, broker):
    gateway, two = await connect("gateway"), await connect("two")
    before = gateway.heard("signals/v1/x")
    await two.subscribe("signals/v1/+", Heard())
    during = gateway.heard("signals/v1/x")
    await stop(two)
    assert (before, during, gateway.heard("signals/v1/x"), gateway.heard("signals/v2/x")) == (False, True, True, False)


async def test_the_kept_session_of_a_removed_user_listens_no_more_at_once(connect, broker):
    gateway, two = await connect("gateway"), await connect("two")
    await two.subscribe("signals/v1/+", Heard())
    await stop(two)
    kept = gateway.heard("signals/v1/x")

    await broker.disconnect("two")

    assert (kept, gateway.heard("signals/v1/x")) == (True, False)


async def test_what_came_while_a_bot_was_away_waits_in_order_and_bounded(connect):
    gateway, two, heard = await connect("gateway"), await connect("two"), Heard()
    await two.subscribe("signals/#", heard)
    await stop(two)
    for number in range(9):
        await acked(gateway.publish("signals/v1/x", b"%d" % number))
    again = connect("two", wait=False)
    await again.subscribe("signals/#", heard)
    await eventually(lambda: len(heard) == SETTINGS.max_queued)
    assert [payload for _, payload in heard] == [b"0", b"1", b"2", b"3", b"4"]


async def test_nothing_is_kept_for_the_signals_of_a_plugin_as_the_gateway_sends_them_again(connect):
    gateway, two, heard = await connect("gateway"), await connect("two", client_id="signals.two.sig"), Heard()
    await two.subscribe("signals/#", heard)
    await stop(two)
    await acked(gateway.publish("signals/v1/x", b"while away"))
    again = connect("two", wait=False, client_id="signals.two.sig")
    await again.subscribe("signals/#", heard)
    await eventually(lambda: gateway.heard("signals/v1/x"))
    await again.wait_connected()
    await acked(gateway.publish("signals/v1/x", b"after"))
    await eventually(lambda: heard)
    assert [payload for _, payload in heard] == [b"after"]


async def raw(broker, user):
    """Connect a client that shows every packet that it gets."""
    name, password = user.encode(), user[::-1].encode()
    body = b"\x00\x04MQTT\x04\xc0\x00\x00" + b"".join(bytes([0, len(part)]) + part for part in (b"c", name, password))
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b"\x10" + bytes([len(body)]) + body)
    assert (await reader.readexactly(4))[0] == 0x20
    return reader, writer


async def until_answered(reader, writer):
    """What the broker sent up to its answer to a ping, which it gives after what it had to send before."""
    seen = b""
    for _ in range(5):
        writer.write(b"\xc0\x00")
        seen += await asyncio.wait_for(reader.readuntil(b"\xd0\x00"), 5)
    return seen


@pytest.fixture
async def cards(connect, logins):
    """Two bots, each with a retained card of its own, which the gateway alone may read."""
    for bot in ("one", "two"):
        logins[bot] = Permissions(publish=(f"receipts/{bot}",), subscribe=("signals/#", f"own/{bot}/#"))
    logins["gateway"] = Permissions(publish=("own/#",), subscribe=("receipts/#",))
    gateway = await connect("gateway")
    heard = Heard()
    await gateway.subscribe("receipts/#", heard)
    for bot in ("one", "two"):
        await acked((await connect(bot, client_id="card")).publish(f"receipts/{bot}", b"card", retain=True))
        await acked(gateway.publish(f"own/{bot}/x", b"secret-of-%b" % bot.encode(), retain=True))
    await eventually(lambda: len(heard) == 2)
    return gateway


async def test_who_connects_gets_no_retained_message_unasked(cards, connect, broker):
    await (await connect("one")).subscribe("own/one/#", Heard())
    reader, writer = await raw(broker, "two")
    assert await until_answered(reader, writer) == b"\xd0\x00" * 5
    writer.close()


async def test_who_subscribes_gets_the_retained_messages_of_that_filter_and_no_other(cards, connect):
    await (await connect("one")).subscribe("own/one/#", Heard())
    heard, two = Heard(), await connect("two")
    await two.subscribe("signals/#", heard)
    await two.subscribe("own/two/#", heard)
    await eventually(lambda: heard)
    await acked(cards.publish("own/two/end", b"end"))
    await eventually(lambda: len(heard) > 1)
    assert heard == [("own/two/x", b"secret-of-two"), ("own/two/end", b"end")]


async def test_who_may_not_receive_a_topic_gets_nothing_of_it_whatever_amqtt_does(cards, broker, caplog):
    reader, writer = await raw(broker, "two")
    _, handler = broker._broker.sessions["two/c"]
    sending = asyncio.create_task(handler.mqtt_publish("own/one/x", b"secret-of-one", 0, retain=True))
    await asyncio.wait({sending})
    assert await until_answered(reader, writer) == b"\xd0\x00" * 5
    assert "kept a message on 'own/one/x'" in caplog.text
    writer.close()


async def test_a_busy_event_loop_does_not_starve_it(connect):
    gateway, two, heard, turns = await connect("gateway", window=60), await connect("two"), Heard(), 0
    await two.subscribe("signals/#", heard)
    sent = [gateway.publish("signals/v1/x", b"%d" % number) for number in range(gateway.free)]
    while len(heard) < len(sent) or not all(future.done() for future in sent):
        turns += 1
        assert turns < len(sent)
        time.sleep(0.001)
        await asyncio.sleep(0)
    assert [int(payload) for _, payload in heard] == list(range(len(sent)))


async def test_a_new_connection_of_a_client_ends_its_old_one_and_gets_its_messages(connect):
    gateway, old = await connect("gateway"), await connect("two")
    await old.subscribe("signals/#", Heard())
    old_lost = asyncio.create_task(eventually(lambda: not old.connected))
    heard = Heard()
    new = connect("two", wait=False)
    await new.subscribe("signals/#", heard)
    await wait_for(new)
    await old_lost
    await stop(old)
    await wait_for(new)
    await acked(gateway.publish("signals/v1/x", b"1"))
    await eventually(lambda: heard == [("signals/v1/x", b"1")])


async def test_a_removed_user_is_thrown_out_and_stays_out(connect, broker, logins):
    two, gateway = await connect("two"), await connect("gateway")
    await two.subscribe("signals/#", Heard())
    del logins["two"]
    await broker.disconnect("two")
    await eventually(lambda: not two.connected)
    await eventually(lambda: "bad user name" in two.last_error)
    await eventually(lambda: not broker.heard("signals/v1/x"))
    assert gateway.connected


async def test_a_packet_that_is_too_large_ends_the_connection_that_sent_it(connect):
    gateway, one = await connect("gateway"), await connect("one")
    lost = one.publish("receipts/one", b"x" * 20_000)
    await asyncio.wait({lost}, timeout=5)
    assert isinstance(lost.exception(), ConnectionError)
    assert gateway.connected


async def test_more_clients_than_allowed_are_refused_and_told_so(connect):
    for user in ("one", "two"):
        for number in range(SETTINGS.max_connections // 2):
            await connect(user, client_id=f"c{number}")
    late = connect("three", wait=False)
    await eventually(lambda: "server unavailable" in late.last_error)


async def test_one_login_takes_half_of_the_places_at_most_and_keeps_the_others_ones(connect, caplog):
    links = [await connect("one", client_id=f"c{number}") for number in range(3)]
    late = connect("one", wait=False, client_id="late")
    await eventually(lambda: "server unavailable" in late.last_error)
    assert "3 clients of 'one' are connected already" in caplog.text
    assert all(link.connected for link in [*links, await connect("two"), await connect("gateway")])
    await stop(links[0])
    await wait_for(late)


async def test_who_has_a_place_keeps_it_when_it_connects_again(connect):
    links = [await connect("one", client_id=f"c{number}") for number in range(3)]
    again = await connect("one", client_id="c1", backoff=(5, 5))
    await eventually(lambda: not links[1].connected)
    assert again.connected


async def test_the_gateway_gets_in_where_every_place_is_taken(connect):
    for user in ("one", "two"):
        for number in range(SETTINGS.max_connections // 2):
            await connect(user, client_id=f"c{number}")
    await connect("gateway")


async def test_who_logs_in_gets_in_however_many_connections_say_nothing(broker, connect):
    silent = [await asyncio.open_connection("127.0.0.1", broker.port) for _ in range(80)]
    await connect("gateway")
    assert await asyncio.wait_for(silent[0][0].read(), 5) == b""
    assert len(broker._connections) <= 66
    for _, writer in silent:
        writer.close()


async def test_a_client_that_says_nothing_is_closed(broker, monkeypatch):
    monkeypatch.setattr("gateway.mqtt.embedded._CONNECT_WITHIN", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_clients_that_come_at_once_with_one_client_id_lock_nobody_out(broker):
    body = b"\x00\x04MQTT\x04\xc0\x00\x00\x00\x04same\x00\x03one\x00\x03eno"
    came = [await asyncio.open_connection("127.0.0.1", broker.port) for _ in range(3)]
    for _, writer in came:
        writer.write(b"\x10" + bytes([len(body)]) + body)
    assert (await asyncio.wait_for(came[-1][0].readexactly(4), 10))[0] == 0x20
    for _, writer in came:
        writer.close()
    await eventually(lambda: not broker._connections, within=10)

    _, writer = await raw(broker, "one")
    writer.close()


async def test_a_client_that_does_not_read_is_cut_off(logins):
    broker = EmbeddedBroker(replace(SETTINGS, max_unread=200_000), logins=logins)
    await broker.start()
    given = LinkSettings(host="127.0.0.1", port=broker.port, client_id="g", version=Version.V311)
    gateway = GmqttLink(replace(given, username="gateway", password="yawetag"))
    task = asyncio.create_task(gateway.run())
    await wait_for(gateway)
    body = b"\x00\x04MQTT\x04\xc2\x00\x00" + b"\x00\x01c" + b"\x00\x03two" + b"\x00\x03owt"
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port, limit=1024)
    writer.write(b"\x10" + bytes([len(body)]) + body)
    assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    writer.write(b"\x82\x0e\x00\x01\x00\x09signals/#\x00")
    assert (await reader.readexactly(5))[0] == 0x90
    writer.transport.pause_reading()
    connections = len(broker._places)
    while len(broker._places) == connections:
        await acked(gateway.publish("signals/v1/x", b"x" * 9_000))
    assert gateway.connected
    writer.transport.abort()
    task.cancel()
    await asyncio.wait({task})
    await broker.stop()


async def test_a_client_that_falls_silent_leaves_its_will(broker, connect, logins):
    logins["gateway"] = Permissions(publish=("signals/#",), subscribe=("receipts/#",))
    heard = Heard()
    gateway = await connect("gateway")
    await gateway.subscribe("receipts/#", heard)
    body = (
        b"\x00\x04MQTT\x04\xe6\x00\x01" + b"\x00\x01c" + b"\x00\x0creceipts/two" + b"\x00\x03off"
        + b"\x00\x03two" + b"\x00\x03owt"
    )  # fmt: skip
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(b"\x10" + bytes([len(body)]) + body)
    assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    await eventually(lambda: heard == [("receipts/two", b"off")])
    writer.close()


async def test_a_taken_port_names_the_process_that_holds_it(broker, logins):
    second = EmbeddedBroker(replace(SETTINGS, port=broker.port), logins=logins)
    with pytest.raises(Misconfigured, match=rf"127\.0\.0\.1:{broker.port}: .*pid {os.getpid()}"):
        await second.start()


async def test_it_stops_and_starts_again_on_its_port(logins, connect):
    port = free_port()
    broker = EmbeddedBroker(replace(SETTINGS, port=port), logins=logins)
    for _ in range(2):
        await broker.start()
        link = await connect("gateway", port=port)
        await broker.stop()
        await eventually(lambda link=link: not link.connected)
        await stop(link)
    assert broker.heard("signals/x") is False


async def test_nothing_that_it_logs_has_a_password(connect, caplog):
    caplog.set_level(logging.DEBUG)
    link = connect("one", wait=False, password="canary-9b1f")
    await eventually(lambda: "bad user name" in link.last_error)
    await connect("two")
    assert "canary-9b1f" not in caplog.text
    assert "owt" not in caplog.text
