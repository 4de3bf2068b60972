"""The embedded broker keeps what is still true, and no more than it may."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mqtt.kept import Allotment, Kept, expiry


def message(number, *, expires=None, size=0):
    second = "" if expires is None else f',"expirytime":"1970-01-01T00:00:{expires:02d}Z"'
    return SimpleNamespace(topic="t", data=b'{"n":%d%b}' % (number, second.encode()) + b" " * size, number=number)


def numbers(kept):
    return [item.number for item in kept.take()]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"7", b'{"expirytime":7}', b'{"expirytime":"x"}', b"[" * 9999])
def test_what_says_nothing_of_its_expiry_never_expires(payload):
    assert expiry(payload) == math.inf


def test_the_expiry_is_the_envelopes():
    assert expiry(b'{"expirytime":"1970-01-01T00:00:02.5Z","data":{"expirytime":"1970-01-01T00:00:09Z"}}') == 2.5


async def test_what_has_expired_is_not_handed_over():
    clock = SimpleNamespace(now=0.0)
    kept = Kept(most=5, most_bytes=1000, now=lambda: clock.now)
    for number, expires in enumerate((9, 3, None, 5)):
        await kept.put(message(number, expires=expires))
    clock.now = 5.0
    assert numbers(kept) == [0, 2]
    assert kept.empty()


async def test_expired_messages_make_room():
    clock = SimpleNamespace(now=0.0)
    kept = Kept(most=3, most_bytes=1000, now=lambda: clock.now)
    for number, expires in enumerate((None, 3, None)):
        await kept.put(message(number, expires=expires))
    clock.now = 3.0
    await kept.put(message(3))
    assert numbers(kept) == [0, 2, 3]


async def test_nothing_is_kept_behind_what_found_no_room():
    clock = SimpleNamespace(now=0.0)
    kept = Kept(most=2, most_bytes=1000, now=lambda: clock.now)
    for number, expires in enumerate((None, 3, None)):
        await kept.put(message(number, expires=expires))
    clock.now = 3.0
    await kept.put(message(3))
    assert numbers(kept) == [0]
    await kept.put(message(4))
    assert numbers(kept) == [4]


async def test_a_message_that_is_larger_than_all_room_changes_nothing():
    kept = Kept(most=3, most_bytes=100)
    await kept.put(message(0))
    await kept.put(message(1, size=200))
    assert numbers(kept) == [0]


@given(sizes=st.lists(st.integers(0, 80), max_size=30))
def test_neither_messages_nor_bytes_go_beyond_the_bounds_and_the_order_holds(sizes):
    kept = Kept(most=5, most_bytes=150)

    async def fill():
        for number, size in enumerate(sizes):
            await kept.put(message(number, size=size))

    asyncio.run(fill())
    seen = kept.take()
    assert len(seen) <= 5
    assert sum(1 + len(item.data) for item in seen) <= 150
    assert [item.number for item in seen] == list(range(len(seen)))


def test_a_login_retains_so_many_messages_and_may_always_replace_one():
    allotment = Allotment(most=2, most_bytes=100, total_bytes=1000)
    assert [allotment.take("a", topic, b"x") for topic in ("1", "2", "3", "1")] == [True, True, False, True]
    assert allotment.take("b", "3", b"x")
    allotment.release("1")
    assert allotment.take("a", "4", b"x")


def test_a_login_retains_so_many_bytes_and_keeps_what_it_had_when_more_is_refused():
    allotment = Allotment(most=9, most_bytes=100, total_bytes=1000)
    assert [allotment.take("a", "1", b"x" * size) for size in (90, 100, 99)] == [True, False, True]
    assert not allotment.take("a", "2", b"x")
    allotment.release("1")
    assert allotment.take("a", "2", b"x")


def test_all_logins_together_retain_so_many_bytes_but_who_is_unbounded_always_may():
    allotment = Allotment(most=9, most_bytes=100, total_bytes=150)
    assert [allotment.take(user, user, b"x" * 90) for user in ("a", "b")] == [True, False]
    assert allotment.take("gateway", "g", b"x" * 500, bounded=False)
