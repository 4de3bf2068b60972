"""The bots' clocks: who learns what from cards and receipts, and who is told."""

from __future__ import annotations

import pytest

from gateway.bots import Clocks
from gateway.bots.clocks import accepted_at
from gateway.bots.offset import Offset
from gateway.telemetry import NullTelemetry
from schemas.card import BotCard, Presence
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from tests.journal_drafts import START, Clock

SECOND = 1_000_000
NOW = START // 1000 * 1000


class Telemetry(NullTelemetry):
    """Remembers what it was told of clocks."""

    def __init__(self):
        self.told = []

    def bot_clock(self, *, bot, problem):
        self.told.append((bot, problem))


def id_at(micros: int) -> str:
    digits = f"{micros // 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"


class Bench:
    """Clocks, and a bot whose clock is ``ahead`` of the gateway's, in seconds."""

    def __init__(self):
        self.telemetry, self.clock, self.second = Telemetry(), Clock(NOW), 0.0
        self.clocks = Clocks(telemetry=self.telemetry, clock=self.clock, timer=lambda: self.second)

    def receipt(self, ahead: float, *, accepted: int | None = None, stage=Stage.HANDLED, reason=None, bot="demo"):
        stamp = from_micros(self.clock() + int(ahead * SECOND))
        signal = id_at(self.clock() if accepted is None else accepted)
        receipt = Receipt(signal=signal, bot=bot, stage=stage, at=stamp, received_at=stamp, reason=reason)
        return self.clocks.receipt(receipt)

    def card(self, ahead: float, *, bot="demo"):
        clock = from_micros(self.clock() + int(ahead * SECOND))
        self.clocks.card(BotCard(bot=bot, presence=Presence.ONLINE, instance="i", clock=clock))


@pytest.fixture
def bench():
    return Bench()


@pytest.mark.parametrize(("ahead", "side"), [(45, "ahead of"), (-45, "behind")])
def test_a_clock_that_is_45_s_off_is_told_once_at_the_first_receipt(bench, ahead, side):
    for _ in range(5):
        bench.receipt(ahead)
    assert bench.telemetry.told == [("demo", f"clock is 45.0 s {side} the gateway's")]
    assert bench.clocks.offsets() == {"demo": pytest.approx(ahead, abs=0.01)}


def test_a_card_alone_proves_a_clock_that_is_ahead_and_none_that_is_behind(bench):
    bench.card(45)
    bench.card(-45, bot="other")
    assert [bot for bot, _ in bench.telemetry.told] == ["demo"]


def test_a_clock_that_is_set_right_is_told_once_too(bench):
    bench.receipt(45)
    bench.receipt(0)
    bench.receipt(0)
    assert [problem is None for _, problem in bench.telemetry.told] == [False, True]


def test_a_clock_that_jumps_to_the_other_side_is_told_again(bench):
    bench.receipt(45)
    bench.receipt(-45)
    assert len(bench.telemetry.told) == 2


@pytest.mark.parametrize("jump", [3600, -3600])
def test_the_gateways_own_clock_may_be_set_and_the_next_receipt_counts(bench, jump):
    bench.receipt(0)
    bench.clock.pass_(jump)
    bench.receipt(-jump)
    assert bench.clocks.offset("demo").estimate == pytest.approx(-jump * SECOND, abs=10_000)


def test_a_receipt_that_is_repeated_later_tells_nothing_of_the_clock_now(bench):
    bench.receipt(-45, accepted=bench.clock() - 61 * SECOND)
    bench.receipt(-45, accepted=bench.clock() + SECOND)
    assert bench.clocks.offset("demo") == Offset()


@pytest.mark.parametrize("id_", ["", "s1", "0193a6c2-1234-4000-8000-000000000000", "zzzzzzzz-zzzz-7000-8000-00000000"])
def test_what_is_no_id_of_a_gateway_has_no_time(id_):
    assert accepted_at(id_) is None


def test_an_id_tells_its_millisecond():
    assert accepted_at(id_at(NOW)) == NOW


@pytest.mark.parametrize(
    ("stage", "reason", "named"),
    [
        (Stage.EXPIRED, "expired 3 s ago", True),
        (Stage.EXPIRED, None, True),
        (Stage.REFUSED, "clock: the signal's time is ahead", True),
        (Stage.REFUSED, "no handler matches", False),
        (Stage.EXPIRED, "expired (this bot's clock is 45.0 s behind the gateway's)", False),
        (Stage.HANDLED, None, False),
    ],
)
def test_a_receipt_that_a_wrong_clock_caused_names_it_unless_it_did_already(bench, stage, reason, named):
    stored = bench.receipt(-45, stage=stage, reason=reason).reason
    words = "the gateway finds that this bot's clock is 45.0 s behind the gateway's"
    assert stored == ((f"{reason}; {words}" if reason else words) if named else reason)


def test_a_receipt_of_a_bot_whose_clock_is_right_stays_as_it_is(bench):
    assert bench.receipt(0, stage=Stage.EXPIRED, reason="late").reason == "late"


def test_the_bots_are_bounded_and_can_be_forgotten(bench, monkeypatch):
    monkeypatch.setattr("gateway.bots.clocks._MOST", 2)
    for bot in ("a", "b", "c"):
        bench.card(45 * SECOND, bot=bot)
    assert set(bench.clocks.offsets()) == {"a", "b"}
    bench.clocks.forget("a")
    bench.card(45 * SECOND, bot="c")
    assert set(bench.clocks.offsets()) == {"b", "c"}
