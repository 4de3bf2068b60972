"""What waits to be told: bounded in number and bytes, the oldest dropped first, and every drop counted."""

from __future__ import annotations

import threading

import pytest

from bot_plugin.telemetry.outbox import Outbox, in_words


def drain(outbox: Outbox, channel: str) -> list[bytes]:
    found = []
    while (payload := outbox.take(channel)) is not None:
        found.append(payload)
    return found


def test_past_its_number_the_oldest_are_dropped_and_counted_once() -> None:
    outbox = Outbox(limit=3)
    for number in range(5):
        outbox.put("log", b"%d" % number)

    assert drain(outbox, "log") == [b"2", b"3", b"4"]
    assert outbox.take_dropped() == {"log": 2}
    assert not outbox


def test_past_its_bytes_the_oldest_are_dropped() -> None:
    outbox = Outbox(size=10)
    for payload in (b"1234", b"5678", b"9012345678"):
        outbox.put("events", payload)

    assert drain(outbox, "events") == [b"9012345678"]
    assert outbox.take_dropped() == {"events": 2}


def test_a_message_that_a_broker_might_not_take_is_dropped_itself() -> None:
    outbox = Outbox(largest=10)
    outbox.put("events", b"1")
    outbox.put("events", b"12345678901")

    assert drain(outbox, "events") == [b"1"]
    assert outbox.take_dropped() == {"events": 1}


def test_a_flood_of_one_channel_leaves_the_others_alone() -> None:
    outbox = Outbox(limit=2)
    outbox.put("events", b"fill")
    outbox.put("notify", b"text")
    for number in range(100):
        outbox.put("log", b"%d" % number)

    assert (drain(outbox, "events"), drain(outbox, "notify")) == ([b"fill"], [b"text"])


def test_what_is_put_back_is_next() -> None:
    outbox = Outbox()
    outbox.put("log", b"1")
    outbox.put("log", b"2")
    taken = outbox.take("log")
    assert taken is not None
    outbox.put_back("log", taken)

    assert drain(outbox, "log") == [b"1", b"2"]


def test_of_snapshots_the_latest_of_each_controller_is_kept() -> None:
    outbox = Outbox()
    outbox.put_performance({"a": {"pnl": 1}, "b": {"pnl": 1}})
    outbox.put_performance({"a": {"pnl": 2}})

    assert drain(outbox, "performance") == [b'{"a":{"pnl":2},"b":{"pnl":1}}']
    assert not outbox


def test_snapshots_that_are_too_large_are_refused_and_the_others_kept() -> None:
    outbox = Outbox(largest=30)
    outbox.put_performance({"a": {"pnl": 1}})
    with pytest.raises(ValueError, match="more than 30 bytes"):
        outbox.put_performance({"b": {"text": "x" * 30}})

    assert drain(outbox, "performance") == [b'{"a":{"pnl":1}}']


def test_what_is_left_at_the_end_is_counted_as_dropped() -> None:
    outbox = Outbox()
    outbox.put("log", b"1")
    outbox.put("notify", b"2")
    outbox.drop_waiting()

    assert len(outbox) == 0
    assert outbox.take_dropped() == {"log": 1, "notify": 1}


def test_it_wakes_once_and_only_once_it_is_asked_to() -> None:
    outbox, woken = Outbox(), []
    outbox.put("log", b"1")
    outbox.wake(lambda: woken.append(1))
    outbox.put("log", b"2")
    outbox.put("log", b"3")

    assert woken == [1]


def test_a_loop_that_has_ended_disturbs_nobody() -> None:
    def ended() -> None:
        raise RuntimeError("Event loop is closed")

    outbox = Outbox()
    outbox.wake(ended)
    outbox.put("log", b"1")

    assert len(outbox) == 1


def test_from_many_threads_every_message_is_taken_or_counted() -> None:
    outbox = Outbox(limit=50)
    taken: list[bytes] = []
    threads = [threading.Thread(target=lambda: [outbox.put("log", b"x") for _ in range(2_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += drain(outbox, "log")
    taken += drain(outbox, "log")

    assert len(taken) + outbox.take_dropped().get("log", 0) == 8_000


@pytest.mark.parametrize(
    ("dropped", "words"),
    [
        ({"log": 3201}, "3,201 log lines were dropped"),
        ({"log": 1}, "1 log line was dropped"),
        ({"events": 1, "log": 2}, "2 log lines and 1 event were dropped"),
    ],
)
def test_what_was_dropped_is_said_in_words(dropped: dict[str, int], words: str) -> None:
    assert in_words(dropped).partition(":")[0] == words
