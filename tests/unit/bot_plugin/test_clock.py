"""What a bot concludes of the gateway's clock."""

from __future__ import annotations

import pytest

from bot_plugin.clock import GatewayClock, skew

NOW = 1_795_352_101_000_000
SECOND = 1_000_000


class Two:
    """A gateway's clock that is right and a bot's that is ``ahead`` of it, seconds."""

    def __init__(self, *, ahead: float = 0.0) -> None:
        self.clock = GatewayClock()
        self.at = 7 * SECOND
        self.ahead = round(ahead * SECOND)

    @property
    def true(self) -> int:
        return NOW + self.at

    @property
    def bots(self) -> int:
        return self.true + self.ahead

    def hear(self, *, age: float = 0.0) -> None:
        self.clock.observe(self.true - round(age * SECOND), monotonic=self.at)

    def wait(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)

    @property
    def latest(self) -> float:
        return (self.clock.latest(now=self.bots, monotonic=self.at) - self.true) / SECOND

    @property
    def offset(self) -> float:
        return self.clock.offset(now=self.bots, monotonic=self.at) / SECOND

    @property
    def news(self) -> str | None:
        return self.clock.news(now=self.bots, monotonic=self.at)


def test_nothing_is_known_before_the_gateway_was_heard() -> None:
    two = Two(ahead=-45)

    assert (two.offset, two.latest, two.news) == (0, -45, None)


def test_the_quickest_message_bounds_a_clock_that_is_behind() -> None:
    two = Two(ahead=-45)
    for age in (30, 0.5, 10):
        two.hear(age=age)

    assert (two.offset, two.latest) == (-44.5, -0.5)


def test_the_gateways_clock_goes_on_between_messages() -> None:
    two = Two(ahead=-45)
    two.hear()
    two.wait(300)

    assert two.latest == 0


def test_a_bots_clock_that_is_ahead_stays_the_later_one() -> None:
    two = Two(ahead=45)
    two.hear()
    two.wait(6)

    assert (two.offset, two.latest) == (45, 45)


def test_what_was_queued_for_an_absent_bot_is_no_sign_that_its_clock_is_ahead() -> None:
    two = Two()
    two.hear(age=40)
    assert two.offset == 0
    two.hear()
    two.wait(6)

    assert two.offset == 0


def test_a_clock_that_is_set_is_known_anew_without_a_message() -> None:
    two = Two(ahead=-45)
    two.hear()
    two.ahead = 0

    assert (two.offset, two.latest) == (0, 0)


def test_what_was_heard_ten_minutes_ago_is_forgotten() -> None:
    two = Two(ahead=-45)
    two.hear()
    two.wait(660)
    two.hear(age=5)

    assert two.offset == -40


def test_what_was_heard_nine_minutes_ago_is_remembered() -> None:
    two = Two(ahead=-45)
    two.hear()
    two.wait(530)
    two.hear(age=5)

    assert two.offset == -45


def test_after_a_long_silence_an_old_message_is_no_sign_that_the_clock_is_ahead() -> None:
    two = Two()
    two.hear()
    two.wait(3600)
    two.hear(age=1800)

    assert two.offset == 0


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (-45, ["this bot's clock is 45.0 s behind the gateway's", "refused", "NTP"]),
        (45, ["this bot's clock is 45.0 s ahead of the gateway's", "expire here before their time", "NTP"]),
    ],
)
def test_a_warning_says_how_far_in_which_direction_and_what_to_do_once(ahead: float, words: list[str]) -> None:
    two = Two(ahead=ahead)
    two.hear()
    two.wait(6)
    news = two.news

    assert news is not None
    assert [word for word in words if word not in news] == []
    assert two.news is None


def test_each_change_is_told() -> None:
    two = Two(ahead=-45)
    two.hear()
    told = [two.news]
    for ahead in (-45.5, -30, -30, 0, 0):
        two.ahead = round(ahead * SECOND)
        told.append(two.news)

    assert [text and text.split(":")[0] for text in told] == [
        "this bot's clock is 45.0 s behind the gateway's",
        None,
        "this bot's clock is 30.0 s behind the gateway's",
        None,
        "the clocks of this bot and of the gateway agree again",
        None,
    ]


def test_a_small_difference_is_not_worth_a_word() -> None:
    two = Two(ahead=-1.9)
    two.hear()

    assert (two.news, skew(-1_900_000), two.latest) == (None, None, 0)
