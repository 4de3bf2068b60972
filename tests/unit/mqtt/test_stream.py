"""amqtt gets whole packets of a bounded size, however the bytes come, and sends what is permitted."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.stream import BoundedWriter, PacketReader


def reader(*, largest=1000):
    stream = asyncio.StreamReader()
    return stream, PacketReader(stream, largest=largest)


def packet(size):
    length = bytes([size]) if size < 128 else bytes([size % 128 | 128, size // 128])
    return b"\x40" + length + b"x" * size


@given(sizes=st.lists(st.integers(0, 300), max_size=5), cuts=st.lists(st.integers(1, 50), min_size=1))
def test_packets_are_found_however_the_bytes_are_cut(sizes, cuts):
    async def run():
        stream, packets = reader()
        data, place = b"".join(map(packet, sizes)), 0
        while place < len(data):
            cut = cuts[place % len(cuts)]
            stream.feed_data(data[place : place + cut])
            place += cut
        return [await packets.packet() for _ in sizes]

    assert asyncio.run(run()) == [packet(size) for size in sizes]


async def test_a_packet_over_the_limit_ends_the_connection_before_it_is_read():
    stream, packets = reader(largest=100)
    stream.feed_data(packet(200)[:3])
    with pytest.raises(ConnectionResetError, match="100 are allowed"):
        await packets.packet()


async def test_a_length_that_never_ends_ends_the_connection():
    stream, packets = reader()
    stream.feed_data(b"\x30\xff\xff\xff\xff\xff")
    with pytest.raises(ConnectionResetError, match="malformed"):
        await packets.packet()


async def test_no_field_reaches_into_the_next_packet():
    stream, packets = reader()
    stream.feed_data(packet(3) + packet(3))
    assert await packets.read(1) == b"\x40"
    with pytest.raises(ConnectionResetError, match="shorter"):
        await packets.read(10)


async def test_a_silent_client_is_given_up():
    _, packets = reader()
    packets.silence = 0.01
    with pytest.raises(ConnectionResetError, match="silent"):
        await packets.packet()


async def test_a_read_that_is_cancelled_loses_nothing():
    stream, packets = reader()
    stream.feed_data(packet(5)[:4])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(packets.read(1), 0.01)
    stream.feed_data(packet(5)[4:])
    assert await packets.read(7) == packet(5)


class Socket(list):
    """What was written, a StreamWriter for the rest."""

    transport = SimpleNamespace(get_write_buffer_size=lambda: 0)
    is_closing = close = staticmethod(lambda: False)

    def write(self, data):
        self.append(bytes(data))


ABOUT_A, ABOUT_B = b"\x30\x04\x00\x01a!", b"\x31\x04\x00\x01b!"
PONG = b"\xd0\x00"


async def test_packets_of_one_turn_of_the_loop_are_one_write():
    socket = Socket()
    writer = BoundedWriter(socket)
    writer.permits = lambda _: True
    for packet_ in (ABOUT_A, PONG, ABOUT_B):
        writer.write(packet_)
    await asyncio.sleep(0)
    assert socket == [ABOUT_A + PONG + ABOUT_B]


async def test_what_waits_is_written_before_the_end():
    socket = Socket()
    writer = BoundedWriter(socket)
    writer.write(PONG)
    await writer.close()
    assert socket == [PONG]


async def test_a_message_whose_topic_is_not_permitted_is_not_written():
    socket = Socket()
    writer = BoundedWriter(socket)
    writer.write(ABOUT_A)
    writer.permits = lambda topic: topic == "a"
    for packet_ in (ABOUT_B, PONG, ABOUT_A):
        writer.write(packet_)
    await writer.close()
    assert socket == [PONG + ABOUT_A]
