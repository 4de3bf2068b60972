"""When a signal's turn comes among those of its topic."""

from __future__ import annotations

from bot_plugin.order import LAST_MOMENT, LONG_AGO, PATIENCE, TOLD, Order, Place, Turn

TOPIC = "signals/v1/trade/a/BTC-USDT"
NOW = 1_795_352_101_000_000
AT = 7_000_000_000


class Topic:
    """One topic of an Order; numbers are small, as if accepted just now."""

    def __init__(self, released: int | None = None, *, backlog: int = 100, connected: int | None = AT) -> None:
        self.order: Order[int] = Order({} if released is None else {TOPIC: NOW + released}, backlog=backlog)
        self.at = AT
        if connected is not None:
            self.order.connected(monotonic=connected)

    def place(self, sequence: int, previous: int | None = None, *, ttl: int = 60_000_000) -> Place:
        before = None if previous is None else NOW + previous
        return Place(topic=TOPIC, sequence=NOW + sequence, previous=before, deadline=self.at + ttl)

    def take(self, sequence: int, previous: int | None = None, *, ttl: int = 60_000_000) -> list[int]:
        place = self.place(sequence, previous, ttl=ttl)
        assert self.order.later(place) is None
        return self.numbers(self.order.take(place, sequence, now=NOW, monotonic=self.at))

    def later(self, sequence: int) -> int | None:
        later = self.order.later(self.place(sequence))
        return None if later is None else later - NOW

    def pass_(self, time: int) -> list[int]:
        self.at += time
        return self.numbers(self.due())

    def due(self) -> list[Turn[int]]:
        return self.order.due(now=NOW, monotonic=self.at)

    def numbers(self, turns: list[Turn[int]]) -> list[int]:
        return [turn.item for turn in turns]


def test_what_follows_the_last_one_goes_on_at_once() -> None:
    topic = Topic(released=1)

    assert [topic.take(2, 1), topic.take(3, 2), topic.order.next_due] == [[2], [3], None]


def test_what_has_none_before_it_goes_on_at_once() -> None:
    assert Topic().take(5) == [5]


def test_what_comes_early_waits_for_the_one_before_it_and_follows_it_at_once() -> None:
    topic = Topic(released=1)

    assert [topic.take(4, 3), topic.take(3, 2), topic.take(2, 1)] == [[], [], [2, 3, 4]]
    assert topic.order.next_due is None


def test_what_waited_long_enough_goes_on_and_says_what_it_missed() -> None:
    topic = Topic(released=1)
    topic.take(4, 2)
    topic.take(5, 4)

    assert topic.pass_(PATIENCE - 1) == []
    topic.at += 1
    assert topic.due() == [Turn(4, missing=NOW + 2), Turn(5)]


def test_each_gap_has_a_patience_of_its_own() -> None:
    topic = Topic(released=1)
    topic.take(3, 2)
    topic.at += PATIENCE - 1
    topic.take(5, 4)

    assert topic.pass_(1) == [3]
    assert topic.order.next_due == AT + PATIENCE - 1 + PATIENCE
    assert topic.pass_(PATIENCE - 1) == [5]


def test_an_earlier_one_that_arrives_gives_those_behind_it_new_patience() -> None:
    topic = Topic(released=1)
    topic.take(9, 8)
    topic.at += PATIENCE - 1
    topic.take(2, 1)

    assert topic.pass_(PATIENCE - 1) == []
    assert topic.pass_(1) == [9]


def test_a_known_one_that_comes_again_gives_those_behind_it_new_patience() -> None:
    topic = Topic(released=1)
    topic.take(9, 8)
    topic.at += PATIENCE - 1
    topic.order.heard(topic.place(1), monotonic=topic.at)

    assert topic.pass_(PATIENCE - 1) == []


def test_a_later_one_that_arrives_gives_no_new_patience() -> None:
    topic = Topic(released=1)
    topic.take(3, 2)
    topic.at += PATIENCE - 1
    topic.take(4, 3)

    assert topic.pass_(1) == [3, 4]


def test_nobody_waits_longer_than_half_of_the_time_that_it_has_left() -> None:
    topic = Topic(released=1)
    topic.take(3, 2)
    topic.take(5, 4, ttl=1_000_000)

    assert topic.order.next_due == AT + 500_000
    assert topic.pass_(500_000) == [3, 5]


def test_what_comes_after_a_later_one_is_too_late_and_is_told_which() -> None:
    topic = Topic(released=1)
    topic.take(3, None)

    assert [topic.later(2), topic.later(3), topic.later(4)] == [3, 3, None]


def test_a_number_that_waits_already_is_taken() -> None:
    topic = Topic(released=1)
    topic.take(4, 3)

    assert topic.later(4) == 4


def test_what_an_earlier_process_released_counts() -> None:
    topic = Topic(released=7)

    assert topic.later(6) == 7
    assert topic.take(8, 7) == [8]


def test_the_first_of_an_unknown_topic_waits_just_after_a_connection() -> None:
    topic = Topic()

    assert topic.take(9, 8) == []
    assert topic.take(8, 7) == []
    topic.at += PATIENCE
    assert topic.due() == [Turn(8), Turn(9)], "what an earlier process had is no gap"


def test_the_first_of_an_unknown_topic_waits_for_no_connection_that_is_old() -> None:
    assert Topic(connected=AT - PATIENCE).take(9, 8) == [9]


def test_nobody_goes_past_the_first_of_an_unknown_topic_that_waits() -> None:
    topic = Topic(connected=AT - PATIENCE + 1)
    topic.take(9, 8)
    topic.at += 1

    assert topic.take(10, 9) == []
    assert topic.pass_(PATIENCE - 1) == [9, 10]


def test_nobody_waits_for_what_was_accepted_more_than_an_hour_ago() -> None:
    topic = Topic(released=-2 * LONG_AGO)

    assert topic.take(3, -LONG_AGO - 1) == [3]
    assert topic.take(5, -LONG_AGO - 1) == [5]


def test_more_than_the_backlog_do_not_wait() -> None:
    topic = Topic(released=1, backlog=2)

    assert [topic.take(3, 2), topic.take(4, 3), topic.take(6, 5)] == [[], [], [3, 4, 6]]


def test_topics_do_not_wait_for_one_another() -> None:
    order: Order[str] = Order({"a": 1, "b": 1}, backlog=10)
    order.take(Place(topic="a", sequence=NOW + 2, previous=NOW + 1), "a", now=NOW, monotonic=AT)

    assert order.take(Place(topic="b", sequence=2, previous=1), "b", now=NOW, monotonic=AT) == [Turn("b")]


def test_topics_that_were_quiet_the_longest_are_forgotten_first() -> None:
    order: Order[str] = Order({"a": 5, "b": 5}, backlog=10, topics=2)
    for topic in ("a", "c"):
        order.take(Place(topic=topic, sequence=9), topic, now=NOW, monotonic=AT)

    assert [order.later(Place(topic=topic, sequence=1)) for topic in "abc"] == [9, None, 9]


def test_what_waits_while_nothing_can_arrive_waits_anew_when_something_can() -> None:
    topic = Topic(released=1)
    assert topic.take(3, 2) == []
    topic.order.pause()
    topic.at += 10 * PATIENCE
    assert topic.due() == []
    topic.order.resume(monotonic=topic.at)
    topic.at += PATIENCE - 1
    assert topic.due() == []
    topic.at += 1

    assert topic.due() == [Turn(3, missing=NOW + 2)]


def test_a_connection_makes_what_an_earlier_process_left_wait_anew() -> None:
    topic = Topic(released=1, connected=None)
    assert topic.take(3, 2) == []
    topic.at += 10 * PATIENCE
    assert topic.due() == []

    topic.order.connected(monotonic=topic.at)

    assert topic.due() == []
    assert topic.take(2, 1) == [2, 3]


def test_the_patience_counts_from_when_the_gateway_knows_that_the_signal_came() -> None:
    topic = Topic(released=1)
    topic.order.take(topic.place(3, 2), 3, now=NOW, monotonic=topic.at, known=False)
    told_of = topic.at + TOLD
    topic.at += 10 * PATIENCE
    topic.order.told(through=told_of - 1, monotonic=topic.at)
    assert topic.due() == []

    topic.order.told(through=told_of, monotonic=topic.at)
    assert topic.pass_(PATIENCE - TOLD - 1) == []
    topic.order.told(through=topic.at, monotonic=topic.at)
    topic.at += 1

    assert [turn.missing for turn in topic.due()] == [NOW + 2]


def test_what_arrived_long_ago_does_not_wait_anew_where_only_what_is_younger_shall() -> None:
    topic = Topic(released=1)
    assert topic.take(3, 2) == []
    topic.at += PATIENCE - 1
    topic.order.resume(monotonic=topic.at, younger_than=PATIENCE)
    topic.at += PATIENCE - 1
    assert topic.due() == []

    topic.order.resume(monotonic=topic.at, younger_than=PATIENCE)
    topic.at += 1

    assert topic.due() == [Turn(3, missing=NOW + 2)]


def test_nothing_waits_into_the_last_second_that_it_has_left_whatever_cannot_arrive() -> None:
    topic = Topic(released=1)
    assert topic.take(3, 2, ttl=10 * LAST_MOMENT) == []
    topic.order.pause()
    topic.at += 9 * LAST_MOMENT - 1
    assert topic.due() == []
    topic.at += 1

    assert topic.due() == [Turn(3, missing=NOW + 2)]
