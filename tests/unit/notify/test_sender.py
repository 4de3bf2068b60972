"""A target's thread: in order, again where it failed, bounded, and nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gateway.notify.notification import Level, Notification
from gateway.notify.sender import MOST, Result, Sender


class Way:
    """A channel whose answers are given; it hangs while it is held."""

    def __init__(self, *problems: str | None) -> None:
        self.sent: list[str] = []
        self.problems = list(problems)
        self.free = threading.Event()
        self.free.set()

    def send(self, notification: Notification) -> str | None:
        self.sent.append(notification.title)
        self.free.wait()
        return self.problems.pop(0) if self.problems else None


def notification(number: int = 0) -> Notification:
    return Notification(title=str(number), body="x", level=Level.INFO)


def until(condition: Callable[[], object], *, within: float = 5.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.002)


@pytest.fixture
def way() -> Iterator[Way]:
    made = Way()
    yield made
    made.free.set()


def test_notifications_are_sent_in_their_order(way: Way) -> None:
    sender = Sender("target 1", way)
    sender.start()
    for number in range(5):
        sender.offer(notification(number))
    until(lambda: sender.idle)

    assert way.sent == ["0", "1", "2", "3", "4"]
    assert sender.results() == [Result("sent")] * 5
    assert sender.results() == []


def test_what_failed_is_tried_again_and_what_waits_behind_it_keeps_its_place() -> None:
    way = Way("it answered 503", "it answered 503")
    sender = Sender("target 1", way, pauses=(0.01, 0.02, 0.03))
    sender.start()
    sender.offer(notification(0))
    sender.offer(notification(1))
    until(lambda: sender.idle)

    assert way.sent == ["0", "0", "0", "1"]
    assert sender.results() == [
        Result("retried", "it answered 503; next try in 0.01 s"),
        Result("retried", "it answered 503; next try in 0.02 s"),
        Result("sent"),
        Result("sent"),
    ]


def test_what_failed_in_every_try_is_given_up_with_the_last_reason() -> None:
    way = Way("it answered 503", "it answered 401")
    sender = Sender("target 1", way, pauses=(0.01,))
    sender.start()
    sender.offer(notification(0))
    until(lambda: sender.idle)

    assert sender.results()[-1] == Result("failed", "it answered 401")


def test_a_target_that_never_answers_costs_bounded_memory_and_no_time(way: Way) -> None:
    way.free.clear()
    sender = Sender("target 1", way)
    sender.start()
    began = time.perf_counter()
    for number in range(10_000):
        sender.offer(notification(number))
    took = time.perf_counter() - began

    assert took < 1
    assert sender._waiting.qsize() <= MOST
    assert len(sender._results) <= 4 * MOST
    assert {result.outcome for result in sender.results()} == {"dropped"}
    assert not sender.idle


def test_the_number_of_dropped_notifications_is_right_however_many_they_are(way: Way) -> None:
    way.free.clear()
    sender = Sender("target 1", way)
    sender.start()
    dropped = 0
    for number in range(1000):
        sender.offer(notification(number))
        dropped += len(sender.results())

    assert dropped == 1000 - MOST - len(way.sent)


def test_who_hurries_tries_once_what_is_left() -> None:
    way = Way(*["it answered 503"] * 10)
    sender = Sender("target 1", way, pauses=(600.0, 600.0))
    sender.start()
    sender.offer(notification(0))
    until(lambda: way.sent == ["0"])
    sender.offer(notification(1))
    sender.hurry()
    until(lambda: sender.idle)

    assert way.sent == ["0", "0", "1"]
    assert sender.results()[-2:] == [Result("failed", "it answered 503")] * 2


def test_stopping_drops_what_waits_and_ends_the_wait_for_another_try() -> None:
    way = Way("it answered 503")
    sender = Sender("target 1", way, pauses=(600.0,))
    sender.start()
    for number in range(3):
        sender.offer(notification(number))
    until(lambda: sender.results() == [Result("retried", "it answered 503; next try in 600 s")])
    sender.stop()
    until(lambda: sender.idle)

    assert way.sent == ["0", "0"]
    results = sender.results()
    assert results.count(Result("dropped", "the gateway ends")) == 2
    assert results.count(Result("sent")) == 1
