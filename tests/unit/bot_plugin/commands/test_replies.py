"""Replies on their way: when they are sent, when again, and when not any more."""

from __future__ import annotations

import asyncio
from asyncio import Future
from typing import Any

import pytest

from bot_plugin.commands import replies as module
from bot_plugin.commands.replies import PATIENCE, Replies
from bot_plugin.errors import LinkLost
from schemas.rpc import read_reply


class Link:
    """A connection whose broker answers when a test says so."""

    largest: int | None = None

    def __init__(self, free: int = 10) -> None:
        self.free, self.connected = free, True
        self.sent: list[tuple[str, bytes, Future[int]]] = []
        self.lost = False

    def publish(self, topic: str, payload: bytes, **options: Any) -> Future[int]:
        if self.lost:
            raise LinkLost("gone")
        self.free -= 1
        answer: Future[int] = asyncio.get_running_loop().create_future()
        self.sent.append((topic, payload, answer))
        return answer

    def acknowledge(self, reason: int = 0) -> None:
        self.free += 1
        next(answer for *_, answer in self.sent if not answer.done()).set_result(reason)

    def cut(self) -> None:
        self.free = 0
        for *_, answer in self.sent:
            if not answer.done():
                answer.set_exception(LinkLost("cut"))

    def topics(self) -> list[str]:
        return [topic for topic, *_ in self.sent]


@pytest.fixture
def clock() -> list[int]:
    return [0]


@pytest.fixture
async def replies(clock: list[int]) -> Replies:
    return Replies(monotonic=lambda: clock[0])


async def test_a_reply_waits_for_a_connection_and_for_room(replies: Replies) -> None:
    for topic in "abc":
        replies.put(topic, b"x")
    link: Any = Link(free=2)
    replies.connected(link)
    assert link.topics() == ["a", "b"]

    link.acknowledge()
    await asyncio.sleep(0)
    assert link.topics() == ["a", "b", "c"]


async def test_a_reply_that_was_in_flight_when_the_connection_ended_is_sent_again(replies: Replies) -> None:
    first, second = Link(), Link()
    replies.connected(first)  # type: ignore[arg-type]
    replies.put("a", b"x")
    first.cut()
    await asyncio.sleep(0)
    replies.connected(second)  # type: ignore[arg-type]
    second.acknowledge()

    assert second.topics() == ["a"]
    await asyncio.wait_for(replies.drained(timeout=5), 1)


async def test_a_connection_that_is_gone_as_a_reply_is_sent_leaves_it_for_the_next(replies: Replies) -> None:
    first, second = Link(), Link()
    first.lost = True
    replies.connected(first)  # type: ignore[arg-type]
    replies.put("a", b"x")
    replies.connected(second)  # type: ignore[arg-type]

    assert second.topics() == ["a"]


async def test_a_reply_that_ends_the_connection_each_time_is_given_up(
    replies: Replies, caplog: pytest.LogCaptureFixture
) -> None:
    replies.put("killer", b"x")
    topics = []
    for _ in range(5):
        link = Link(free=1)
        replies.connected(link)  # type: ignore[arg-type]
        link.cut()
        topics += link.topics()
        await asyncio.sleep(0)

    assert topics == ["killer"] * 3
    assert "the reply on killer could not be sent: the connection ended each time" in caplog.text


async def test_a_reply_that_nobody_waits_for_any_more_is_not_sent(
    replies: Replies, clock: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    replies.put("a", b"x")
    clock[0] += PATIENCE + 1
    link = Link()
    replies.connected(link)  # type: ignore[arg-type]

    assert link.sent == []
    assert "the reply on a could not be sent" in caplog.text


async def test_so_many_replies_wait_and_the_oldest_goes(
    replies: Replies, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    for topic in "abc":
        replies.put(topic, b"x")
    link = Link()
    replies.connected(link)  # type: ignore[arg-type]

    assert link.topics() == ["b", "c"]
    assert "the reply on a is dropped: too many wait" in caplog.text


async def test_replies_that_wait_are_bounded_by_their_bytes_too(
    replies: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SIZE", 10)
    for topic, size in (("a", 4), ("b", 4), ("c", 6)):
        replies.put(topic, b"x" * size)
    link = Link()
    replies.connected(link)  # type: ignore[arg-type]

    assert link.topics() == ["b", "c"]


async def test_a_refused_reply_says_which_permission_the_login_lacks(
    replies: Replies, caplog: pytest.LogCaptureFixture
) -> None:
    link = Link()
    replies.connected(link)  # type: ignore[arg-type]
    replies.put("rpc-1", b"x")
    link.acknowledge(0x87)
    await asyncio.sleep(0)

    assert "the broker refuses a reply on rpc-1 (reason 0x87): this bot's login needs the permission" in caplog.text
    assert len(link.sent) == 1


async def test_a_reply_that_is_too_large_for_the_broker_becomes_one_that_says_so(replies: Replies) -> None:
    link = Link()
    link.largest = 400
    replies.connected(link)  # type: ignore[arg-type]
    replies.put("a", b"x" * 400)
    [(_, payload, _)] = link.sent

    assert "the reply cannot be sent: it has 400 bytes, and at most 389 fit" in read_reply(payload).msg


async def test_room_that_others_gave_back_is_found(replies: Replies, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Link(free=0)
    replies.connected(link)  # type: ignore[arg-type]
    replies.put("a", b"x")
    link.free = 1
    looking = asyncio.ensure_future(replies.run())
    async with asyncio.timeout(5):
        while not link.sent:
            await asyncio.sleep(0.01)
    looking.cancel()


async def test_draining_ends_at_its_time(replies: Replies) -> None:
    replies.put("a", b"x")

    await asyncio.wait_for(replies.drained(timeout=0.01), 1)
