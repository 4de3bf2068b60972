"""What bots told is kept within bounds, and no bot takes the place of another."""

from __future__ import annotations

import sys

from gateway.bots.diary import _EACH, RINGS, Diary, Entry


def texts(entries):
    return [entry.payload.decode() for entry in entries]


def test_the_latest_messages_of_each_channel_are_kept_in_their_order():
    diary = Diary()
    for number in range(2000):
        diary.keep("a", "log", b"%d" % number, at=number)
        diary.keep("a", "performance", b"%d" % number, at=number)
    logs = diary.told("a", "log", limit=5000)
    assert texts(logs) == [str(number) for number in range(1000, 2000)]
    assert texts(diary.told("a", "log", limit=2)) == ["1998", "1999"]
    assert texts(diary.told("a", "performance", limit=9)) == ["1999"]
    assert diary.told("a", "events", limit=9) == diary.told("b", "log", limit=9) == []


def test_reading_on_from_a_place_leaves_nothing_out_though_messages_came_at_one_moment_or_the_clock_went_back():
    diary = Diary()
    for number in range(10):
        diary.keep("a", "log", b"%d" % number, at=1000 if number < 5 else 10)
    read, place = [], 0
    while page := diary.told("a", "log", limit=3, after=place):
        read += texts(page)
        place = page[-1].at
    assert read == [str(number) for number in range(10)]


def test_a_bot_that_tells_much_loses_its_own_oldest_messages_and_nobody_elses():
    diary = Diary(budget=100_000)
    for number in range(20):
        diary.keep("quiet", "log", b"%d" % number, at=number)
    for number in range(5000):
        diary.keep("loud", "log", b"x" * 100, at=number)
    assert len(diary.told("quiet", "log", limit=5000)) == 20
    assert 100 < len(diary.told("loud", "log", limit=5000)) < 400
    assert diary.size <= 100_000


def test_log_lines_make_room_for_what_is_rarer():
    diary = Diary(budget=20_000)
    diary.keep("a", "events", b"e" * 1000, at=1)
    for number in range(500):
        diary.keep("a", "log", b"x" * 100, at=number)
    diary.keep("a", "performance", b"p" * 18_000, at=1)
    assert texts(diary.told("a", "events", limit=9)) == ["e" * 1000] or not diary.told("a", "log", limit=9)
    assert diary.size <= 20_000


def test_what_is_larger_than_a_bots_share_is_not_kept():
    diary = Diary(budget=10_000)
    diary.keep("a", "performance", b"p" * 20_000, at=1)
    assert diary.told("a", "performance", limit=1) == []
    assert diary.size < 10_000


def test_whatever_many_bots_tell_the_budget_holds_and_new_bots_find_room():
    diary, most = Diary(budget=1_000_000), 0
    for number in range(20_000):
        diary.keep(f"bot{number % 300}", list(RINGS)[number % 4], b"x" * (number % 900), at=number)
        most = max(most, diary.size)
    assert most <= 1_000_000 + 300 * 4000
    assert diary.size <= 1_000_000
    assert all(diary.told(f"bot{number}", "log", limit=1) for number in range(0, 300, 4))


def test_the_budget_holds_for_more_bots_than_it_has_room_for_a_ring_of_each_channel(monkeypatch):
    trims = []
    trim = Diary._trim
    monkeypatch.setattr(Diary, "_trim", lambda diary: [trims.append(1), trim(diary)])
    diary = Diary(budget=100_000)
    for number in range(2_000):
        diary.keep(f"b{number % 40}", list(RINGS)[number // 40 % 4], b"x", at=number)
    assert diary.size <= 100_000
    assert len(trims) < 100
    assert diary.told("b39", "performance", limit=9)


def test_what_is_counted_is_no_less_than_what_is_taken():
    payload = b"x" * 100
    entry = Entry(1_795_352_101_000_000, payload)
    taken = sys.getsizeof(entry) + sys.getsizeof(entry.at) + sys.getsizeof(payload) + 8
    assert taken <= len(payload) + _EACH


def test_a_bot_that_is_forgotten_leaves_nothing():
    diary = Diary()
    diary.keep("a", "log", b"x", at=1)
    diary.forget("a")
    diary.forget("a")
    assert (diary.size, diary.told("a", "log", limit=1)) == (0, [])
