"""A topic's signals in any order, lost, twice and again: what handlers see of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.order import PATIENCE, Order, Place

NOW = 1_795_352_101_000_000
TOPIC = "signals/v1/trade/a/BTC-USDT"
LONG = 3_600_000_000


@dataclass
class Bot:
    """An Order that is asked when it wants to be, and what came of each signal."""

    remembered: int | None
    connected_at: int = 0
    at: int = 0
    arrived: dict[int, int] = field(default_factory=dict)
    released: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    bounds: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.order: Order[int] = Order({} if self.remembered is None else {TOPIC: self.remembered}, backlog=1000)
        self.order.connected(monotonic=self.connected_at)

    def arrive(self, number: int, *, ttl: int) -> None:
        place = Place(
            topic=TOPIC,
            sequence=NOW + number,
            previous=NOW + number - 1 if number else None,
            deadline=self.at + ttl,
        )
        for other in self.bounds:
            if other > number:
                self.bounds[other] = self.at + PATIENCE
        if number in self.arrived:
            self.order.heard(place, monotonic=self.at)
            return
        self.arrived[number] = self.at
        if self.order.later(place) is not None:
            self.refused.append(number)
            assert self.released, "it, or something later, was released before"
            assert max(self.released) >= number
            return
        self.bounds[number] = self.at + PATIENCE
        self.end([turn.item for turn in self.order.take(place, number, now=NOW, monotonic=self.at)])

    def wait(self, time: int) -> None:
        end = self.at + time
        while (due := self.order.next_due) is not None and due <= end:
            self.at = max(self.at, due)
            self.end([turn.item for turn in self.order.due(now=NOW, monotonic=self.at)])
        self.at = end

    def end(self, numbers: list[int]) -> None:
        for number in numbers:
            assert self.at <= self.bounds.pop(number), f"{number} waited too long"
        self.released += numbers


deliveries = st.lists(st.tuples(st.integers(0, 12), st.integers(0, PATIENCE)), max_size=40)
memories = st.none() | st.integers(-3, 3).map(lambda number: NOW + number)


@given(memories, deliveries, st.integers(1_000_000, LONG))
def test_handlers_see_growing_numbers_and_every_signal_ends(
    remembered: int | None, events: list[tuple[int, int]], ttl: int
) -> None:
    bot = Bot(remembered)
    if remembered is not None:
        bot.released.append(remembered - NOW)
    for number, pause in events:
        bot.arrive(number, ttl=ttl)
        bot.wait(pause)
    bot.wait(20 * PATIENCE)

    ended = bot.released[remembered is not None :]
    assert bot.released == sorted(set(bot.released))
    assert sorted(ended + bot.refused) == sorted(bot.arrived)
    assert bot.order.next_due is None


@given(memories, st.integers(0, 12), st.lists(st.integers(0, 3 * PATIENCE), min_size=13, max_size=13))
def test_what_comes_in_order_never_waits_and_is_never_refused(
    remembered: int | None, first: int, pauses: list[int]
) -> None:
    bot = Bot(None if remembered is None else NOW + first - 1, connected_at=-PATIENCE)
    for number in range(first, 13):
        bot.arrive(number, ttl=LONG)
        assert bot.released[-1] == number
        bot.wait(pauses[number])

    assert bot.refused == []


@given(st.permutations(range(1, 12)), st.lists(st.integers(0, PATIENCE // 13), min_size=11, max_size=11))
def test_what_all_arrives_within_the_patience_runs_in_order_whatever_its_order(
    numbers: list[int], pauses: list[int]
) -> None:
    bot = Bot(NOW)
    for number, pause in zip(numbers, pauses, strict=True):
        bot.arrive(number, ttl=LONG)
        bot.wait(pause)

    assert bot.released == list(range(1, 12))
    assert bot.refused == []


@given(deliveries)
def test_a_signal_is_told_to_have_missed_one_only_where_that_did_not_come_before_it(
    events: list[tuple[int, int]],
) -> None:
    order: Order[int] = Order({TOPIC: NOW - 1}, backlog=1000)
    at, went = 0, {-1}
    for number, pause in events:
        place = Place(topic=TOPIC, sequence=NOW + number, previous=NOW + number - 1)
        turns = [] if order.later(place) else order.take(place, number, now=NOW, monotonic=at)
        at += pause
        for turn in [*turns, *order.due(now=NOW, monotonic=at)]:
            assert (turn.missing is None) is (turn.item - 1 in went)
            assert turn.missing in {None, NOW + turn.item - 1}
            went.add(turn.item)
