"""The queue of raw messages: in order, bounded, from any thread and loop, and it says when no more come."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bot_plugin import ListenerEnded, PluginSettings, SignalListener, TopicQueue
from bot_plugin.testing import running
from tests.brokers import eventually


async def test_messages_come_in_order() -> None:
    queue = TopicQueue()
    for number in range(3):
        await queue("a", b"%d" % number)

    assert [queue.get_nowait() for _ in range(4)] == [("a", b"0"), ("a", b"1"), ("a", b"2"), None]


async def test_past_its_size_the_oldest_is_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    queue = TopicQueue(size=2)
    for number in range(5):
        await queue("a", b"%d" % number)

    assert (len(queue), queue.dropped, await queue.get()) == (2, 3, ("a", b"3"))
    assert [record.getMessage() for record in caplog.records] == [
        f"a queue of 2 messages is full: {dropped} were dropped by now" for dropped in (1, 2)
    ]


async def test_whoever_waits_is_woken() -> None:
    queue = TopicQueue()
    waiting = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    await queue("a", b"1")
    await queue("a", b"2")

    assert sorted(await asyncio.gather(*waiting)) == [("a", b"1"), ("a", b"2")]


async def test_whoever_gives_up_takes_nothing_with_it() -> None:
    queue = TopicQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    await queue("a", b"1")

    assert await queue.get() == ("a", b"1")
    assert queue._waiters == []


async def test_another_loop_may_wait() -> None:
    queue = TopicQueue()
    got: list[tuple[str, bytes]] = []
    thread = threading.Thread(target=lambda: got.append(asyncio.run(queue.get())))
    thread.start()
    await eventually(lambda: queue._waiters)
    await queue("a", b"1")
    await asyncio.to_thread(thread.join, 5)

    assert got == [("a", b"1")]


async def test_after_the_end_what_is_there_is_given_and_then_it_is_said() -> None:
    queue, cause = TopicQueue(), OSError("disk")
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    await queue("a", b"1")
    await queue("a", b"2")
    queue.close(cause)

    assert await waiting == ("a", b"1")
    assert queue.get_nowait() == ("a", b"2")
    with pytest.raises(ListenerEnded) as ended:
        await queue.get()
    assert ended.value.__cause__ is cause
    queue.open()
    assert queue.get_nowait() is None


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="1 message or more"):
        TopicQueue(size=0)


async def test_a_listener_fills_it_and_ends_it() -> None:
    listener = SignalListener(PluginSettings(bot="demo", grace=0.05))
    queue = listener.topic_queue("hbot/demo/external/event/#")
    async with running(listener) as rig:
        rig.broker.publish("hbot/demo/external/event/a", b"1")

        assert await asyncio.wait_for(queue.get(), 5) == ("hbot/demo/external/event/a", b"1")

    with pytest.raises(ListenerEnded):
        queue.get_nowait()
    assert listener.plan.handlers == ("topic:hbot/demo/external/event/#",)
