"""A login that means harm gets what it may have, and the others are served meanwhile; with real sockets."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.intake.draft import MAX_HEAD
from gateway.mqtt import Permissions
from gateway.mqtt import embedded_broker as bounds
from gateway.mqtt.embedded import EmbeddedBroker, EmbeddedSettings
from tests.brokers import eventually

MB = 1_000_000
GRACE = 24 * MB
"""For what malloc keeps, and for what is between two turns of the event loop."""


class Logins(dict):
    """Permissions by user name; every password is the name backwards."""

    def login(self, username, password):
        return self.get(username) if password == username[::-1] else None


@pytest.fixture
async def broker():
    logins = Logins(
        gateway=Permissions(publish=("signals/#",), subscribe=("receipts/+",)),
        bot=Permissions(publish=("receipts/bot", "own/bot/#"), subscribe=("signals/#", "own/bot/#")),
        good=Permissions(publish=("receipts/good",), subscribe=("signals/#",)),
    )
    broker = EmbeddedBroker(EmbeddedSettings(port=0), logins=logins)
    await broker.start()
    yield broker
    await broker.stop()


def text(value):
    encoded = value.encode()
    return struct.pack("!H", len(encoded)) + encoded


def packet(head, body):
    size, length = len(body), b""
    while True:
        length += bytes([size % 128 | (128 if size > 127 else 0)])
        size //= 128
        if not size:
            return bytes([head]) + length + body


def publish(topic, payload, *, qos=0, retain=False, mid=1):
    return packet(0x30 | qos << 1 | retain, text(topic) + (struct.pack("!H", mid) if qos else b"") + payload)


def subscribe(*filters, qos=1, mid=1):
    return packet(0x82, struct.pack("!H", mid) + b"".join(text(one) + bytes([qos]) for one in filters))


class Raw:
    """A client that sends bytes and shows packets."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.closed = False

    def send(self, *packets):
        self.writer.write(b"".join(packets))

    async def next(self):
        """The head and the body of the next packet."""
        (head,) = await asyncio.wait_for(self.reader.readexactly(1), 10)
        size = place = 0
        while True:
            (byte,) = await self.reader.readexactly(1)
            size |= (byte & 127) << 7 * place
            place += 1
            if byte < 128:
                return head, await self.reader.readexactly(size)

    async def until_pong(self):
        """Every packet before the answer to a ping; the broker has looked at all that was sent before."""
        seen = []
        for _ in range(5):
            self.send(b"\xc0\x00")
            while (got := await self.next())[0] != 0xD0:
                seen.append(got)
        return seen

    async def flood(self, *packets, rounds=1_000_000):
        """Send as fast as the broker takes it, until the connection ends."""
        try:
            for _ in range(rounds):
                self.send(*packets)
                await self.writer.drain()
        except OSError:
            self.closed = True

    async def read_on(self):
        """Read and throw away, so that nothing but the acknowledgement is missing."""
        while await self.reader.read(1 << 20):
            pass


@pytest.fixture
async def connect(broker):
    made = []

    async def start(user, client_id="c", *, clean=True, deaf=False):
        sock = socket.socket()
        if deaf:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.connect(("127.0.0.1", broker.port))
        sock.setblocking(False)
        raw = Raw(*await asyncio.open_connection(sock=sock, limit=4096))
        made.append(raw)
        flags = 0xC2 if clean else 0xC0
        raw.send(packet(0x10, text("MQTT") + bytes([4, flags, 0, 0]) + text(client_id) + text(user) + text(user[::-1])))
        assert await raw.next() in {(0x20, b"\x00\x00"), (0x20, b"\x01\x00")}
        return raw

    yield start
    for raw in made:
        raw.writer.transport.abort()


async def served(connect):
    """Whether a message of the gateway's reaches a bot and is acknowledged."""
    gateway, good = await connect("gateway", "served"), await connect("good", "served")
    good.send(subscribe("signals/x", qos=0))
    assert (await good.next())[0] == 0x90
    gateway.send(publish("signals/x", b"1", qos=1))
    assert (await good.next())[0] == 0x30
    assert (await gateway.next())[0] == 0x40


def rss():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def envelope(number, *, lives):
    expires = datetime.now(UTC) + timedelta(seconds=lives)
    return json.dumps({"id": number, "expirytime": expires.isoformat().replace("+00:00", "Z")}).encode()


def test_the_largest_signal_that_is_let_in_fits_into_a_packet():
    assert EmbeddedSettings().max_packet_size > 2 * MAX_HEAD


async def test_a_login_retains_its_share_and_its_card_can_always_be_replaced(connect, caplog):
    bot = await connect("bot")
    for number in range(40):
        bot.send(publish(f"own/bot/{number}", b"x", retain=True))
    bot.send(publish("own/bot/0", b"card", retain=True))
    await bot.until_pong()
    bot.send(subscribe("own/bot/+"))
    got = [body for head, body in await bot.until_pong() if head & 0x31 == 0x31]
    assert len(got) == bounds._RETAINED
    assert any(body.endswith(b"card") for body in got)
    assert "user 'bot' retains as much as it may; the broker did not retain 'own/bot/16'" in caplog.text
    await served(connect)


async def test_what_a_login_retains_is_bounded_in_bytes(connect, broker):
    bot = await connect("bot")
    for number in range(12):
        bot.send(publish(f"own/bot/{number}", b"x" * 10_000, retain=True))
    await bot.until_pong()
    held = sum(len(kept.data) for kept in broker._broker._retained_messages.values())
    assert 50_000 < held <= bounds._RETAINED_BYTES


async def test_who_comes_back_gets_what_is_still_true_in_order_and_as_new(connect):
    gateway, good = await connect("gateway"), await connect("good", clean=False)
    good.send(subscribe("signals/#"))
    await good.until_pong()
    good.send(b"\xe0\x00")
    assert await good.reader.read() == b""
    for number, lives in enumerate((60, 0.3, 60)):
        gateway.send(publish("signals/x", envelope(number, lives=lives), qos=1))
        assert (await gateway.next())[0] == 0x40
    await asyncio.sleep(0.35)
    again = await connect("good", clean=False)
    got = [(head, json.loads(body[body.index(b"{") :])["id"]) for head, body in await again.until_pong()]
    assert got == [(0x32, 0), (0x32, 2)]


async def test_what_is_kept_for_an_absent_client_is_bounded_in_bytes(connect, broker):
    bot = await connect("bot", clean=False)
    bot.send(subscribe("own/bot/#"))
    await bot.until_pong()
    bot.send(b"\xe0\x00")
    assert await bot.reader.read() == b""
    before, other = rss(), await connect("bot", "other")
    for _ in range(100):
        other.send(publish("own/bot/x", b"x" * 200_000))
        await other.writer.drain()
    await other.until_pong()
    assert 1 < broker._broker.sessions["bot/c"][0].retained_messages.qsize() <= 10
    assert rss() - before < GRACE


async def test_a_login_has_so_many_absent_sessions_and_the_latest_are_those_that_stay(connect, broker):
    for number in range(bounds._ABSENT + 4):
        bot = await connect("bot", f"c{number}", clean=False)
        bot.send(subscribe("own/bot/#"), b"\xe0\x00")
        await bot.reader.read()
    assert list(broker._broker.sessions) == [f"bot/c{number}" for number in range(4, bounds._ABSENT + 4)]


async def test_a_login_has_so_many_filters_and_leaves_nothing_behind(connect, broker):
    bot = await connect("bot")
    for start in range(0, 300, 100):
        bot.send(subscribe(*(f"own/bot/{number}" for number in range(start, start + 100))))
    codes = b"".join(body[2:] for head, body in await bot.until_pong() if head == 0x90)
    assert (codes.count(1), codes[bounds._FILTERS :]) == (bounds._FILTERS, b"\x80" * (300 - bounds._FILTERS))
    body = struct.pack("!H", 1) + b"".join(text(f"own/bot/{number}") for number in range(300))
    bot.send(packet(0xA2, body))
    await bot.until_pong()
    bot.send(subscribe("own/bot/" + "x" * 600))
    assert [body[2:] for _, body in await bot.until_pong()] == [b"\x80"]
    assert broker._broker.subscriptions == {}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (publish("own/bot/x", b"", qos=2), "a message with QoS 2"),
        (publish("own/bot/" + "/" * 2000, b""), "a topic of more than"),
        (subscribe(*("own/bot/x" * 5 for _ in range(400))), "a list of topic filters"),
        (b"\x30\xff\xff\xff\x7f", "a packet of 268435455 bytes"),
    ],
    ids=["qos 2", "topic", "filters", "size"],
)
async def test_who_sends_what_is_not_served_is_cut_off_and_the_log_says_why(connect, caplog, bad, reason):
    bot = await connect("bot")
    bot.send(bad)
    assert await asyncio.wait_for(bot.reader.read(), 5) == b""
    await eventually(lambda: f"cut 'bot/c' off: it sent {reason}" in caplog.text)
    await served(connect)


@pytest.mark.parametrize(
    "flood",
    [
        b"\xc0\x00" * 30_000,
        subscribe("own/bot/x") * 3000,
        subscribe(*("own/bot" + "/" * 200 for _ in range(70))) * 20,
        publish("receipts/bot", b"x" * 200_000),
        publish("receipts/bot", b"x", qos=1) * 3000,
        publish("own/bot/y", b"x", retain=True) * 3000,
    ],
    ids=["pings", "subscribes", "filters", "large", "receipts", "retained"],
)
async def test_a_flood_takes_bounded_memory_and_the_others_are_served(connect, broker, flood):
    bot, before = await connect("bot"), rss()
    task, tasks, most = asyncio.create_task(bot.flood(flood)), 0, 0
    reading = asyncio.create_task(bot.read_on())
    until = time.monotonic() + 1.5
    await served(connect)
    while time.monotonic() < until:
        await asyncio.sleep(0.01)
        tasks, most = max(tasks, len(asyncio.all_tasks())), max(most, rss())
    await served(connect)
    for running in (task, reading):
        running.cancel()
    assert (tasks < 1000, most - before < 2 * GRACE) == (True, True), (tasks, most - before)


@pytest.mark.parametrize("size", [10, 100_000])
async def test_who_acknowledges_nothing_is_sent_a_bounded_number_of_bytes(connect, broker, size, caplog):
    bot = await connect("bot")
    bot.send(subscribe("signals/#"))
    assert (await bot.next())[0] == 0x90
    before, most = rss(), 0
    sender = await connect("gateway", "sender")
    task = asyncio.create_task(sender.flood(publish("signals/y", b"x" * size), rounds=20_000))
    reading = asyncio.create_task(bot.read_on())
    await eventually(lambda: "acknowledges too slowly" in caplog.text, within=20)
    await served(connect)
    most = max(most, rss())
    assert broker._broker._unacknowledged["bot"] <= bounds._UNACKNOWLEDGED
    for running in (task, reading):
        running.cancel()
    assert most - before < bounds._UNACKNOWLEDGED + GRACE


@pytest.mark.parametrize("size", [10, 100_000])
async def test_who_sends_more_than_the_gateway_acknowledges_is_held_back_and_the_others_are_not(connect, broker, size):
    gateway = await connect("gateway")
    gateway.send(subscribe("receipts/+"))
    assert (await gateway.next())[0] == 0x90
    bot, before = await connect("bot"), rss()
    task = asyncio.create_task(bot.flood(publish("receipts/bot", b"x" * size)))
    while (await gateway.next())[0] == 0x32 and broker._guard.under_way["bot"] < 2_000_000:
        pass
    good = await connect("good")
    good.send(publish("receipts/good", b"receipt"))
    while not (await gateway.next())[1].endswith(b"receipt"):
        pass
    assert broker._guard.under_way["bot"] < 2_097_152 + 200 * (4096 + size)
    assert rss() - before < GRACE
    task.cancel()


async def test_who_reads_nothing_on_many_connections_is_cut_off_before_it_takes_more_than_one_may(connect, broker):
    deaf = [await connect("bot", f"deaf{number}", deaf=True) for number in range(20)]
    for raw in deaf:
        raw.send(subscribe("own/bot/x", qos=0))
        assert (await raw.next())[0] == 0x90
    before, sender = rss(), await connect("bot", "sender")
    for _ in range(300):
        sender.send(publish("own/bot/x", b"x" * 50_000))
        await sender.writer.drain()
        waiting = sum(client.writer.waiting for client in broker._places.of("bot"))
        assert waiting <= broker._settings.max_unread + 20 * 100_000
    await sender.until_pong()
    assert rss() - before < GRACE
    await served(connect)


async def test_who_leaves_without_reading_takes_nothing_along(connect, broker):
    bot = await connect("bot", deaf=True)
    bot.send(subscribe("own/bot/x", qos=0))
    assert (await bot.next())[0] == 0x90
    sender = await connect("bot", "sender")
    for _ in range(60):
        sender.send(publish("own/bot/x", b"x" * 100_000))
    await sender.until_pong()
    (stream,) = (client.writer._stream for client in broker._places.of("bot") if client.client_id == "bot/c")
    assert stream.transport.get_write_buffer_size() > 0
    bot.send(b"\xe0\x00")
    await eventually(lambda: len(broker._connections) == 1)
    assert stream.transport.get_write_buffer_size() == 0


async def test_tcp_finds_out_whether_a_client_without_a_keepalive_is_there(connect, broker):
    await connect("bot")
    (client,) = broker._places.of("bot")
    endpoint = client.writer._stream.get_extra_info("socket")
    assert endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
