"""amqtt gets whole packets of a bounded size, however the bytes come."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.stream import PacketReader


async def open_gate():
    pass


def reader(*, largest=1000):
    stream = asyncio.StreamReader()
    return stream, PacketReader(stream, largest=largest, gate=open_gate)


def packet(size):
    length = bytes([size]) if size < 128 else bytes([size % 128 | 128, size // 128])
    return b"\x30" + length + b"x" * size


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
    assert await packets.read(1) == b"\x30"
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
