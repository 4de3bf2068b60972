"""The checker passes a run that kept every promise, and names each fault that is planted in it."""

from __future__ import annotations

import json

import pytest

from tests.chaos.accounts import Account, read_account
from tests.chaos.checker import Answer, check
from tests.chaos.findings import Wrong
from tests.chaos.outcomes import Outcome, Said

BOT, OTHER = "bot-a", "bot-b"
KEY = "source-0/BTC-USDT"
SECOND = 1_000_000


def outcome(word: str | None, *, station: str = "published", early: bool = True) -> Outcome:
    """What the gateway shows: ``word`` from the bot, None for nothing."""
    return Outcome(Said(station, early), () if word is None else ((BOT, Said(word, early)),))


class Story:
    """A run of one bot, told step by step; every signal was answered unless said otherwise."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.answered: dict[str, Answer] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.pauses: list[tuple[int, int]] = []
        self.now = 0
        self.began()

    def write(self, **entry: object) -> Story:
        self.now += 1000
        self.lines.append(json.dumps(entry | {"at": self.now}) + "\n")
        return self

    def began(self) -> Story:
        """A process begins; where there was one, that one was killed."""
        return self.write(began=1)

    def posted(self, id_: str, told: Outcome | None, *, key: str = KEY, calm: bool = False) -> Story:
        self.answered[id_] = Answer(key, calm)
        if told is not None:
            self.outcomes[id_] = told
        return self

    def start(self, id_: str, sequence: int, *, key: str = KEY, expires: int = 600 * SECOND) -> Story:
        return self.write(start=id_, key=key, sequence=sequence, expires=expires)

    def end(self, id_: str) -> Story:
        return self.write(end=id_)

    def handled(self, id_: str, sequence: int, **more: object) -> Story:
        """It went as it should."""
        return self.posted(id_, outcome("handled")).start(id_, sequence, **more).end(id_)

    def verdict(self):
        account = read_account(BOT, self.lines, pauses=self.pauses)
        return check(self.answered, accounts=[account], outcomes=self.outcomes)

    def wrong(self) -> list[tuple[Wrong, str]]:
        return [(finding.wrong, finding.id) for finding in self.verdict().findings]


def test_a_run_that_kept_every_promise_passes_and_every_signal_is_counted():
    story = Story().handled("a", 1).handled("b", 2).began().handled("c", 3)

    assert story.wrong() == []
    assert story.verdict().tallies[BOT].ends == {"handled": 3}


def test_a_signal_that_no_handler_saw_and_nobody_explains_is_lost():
    assert Story().posted("a", outcome(None)).wrong() == [(Wrong.LOST, "a")]


def test_a_signal_that_a_bot_received_and_forgot_is_lost():
    assert Story().posted("a", outcome("received")).wrong() == [(Wrong.LOST, "a")]


def test_a_signal_that_was_answered_and_that_the_gateway_does_not_know_is_lost():
    assert Story().posted("a", None).wrong() == [(Wrong.LOST, "a")]


def test_a_signal_is_lost_at_the_bot_that_missed_it_and_not_at_the_other():
    story = Story().handled("a", 1)
    accounts = [read_account(BOT, story.lines), Account(OTHER, lives=1)]

    findings = check(story.answered, accounts=accounts, outcomes=story.outcomes).findings

    assert [(finding.wrong, finding.bot) for finding in findings] == [(Wrong.LOST, OTHER)]


@pytest.mark.parametrize("killed", [False, True])
def test_a_handler_that_starts_twice_for_one_id_is_named_also_across_processes(killed):
    story = Story().handled("a", 1)
    if killed:
        story.began()

    assert story.start("a", 1).end("a").wrong() == [(Wrong.TWICE, "a")]


def test_a_second_start_is_named_also_for_a_signal_that_was_never_answered():
    story = Story().handled("a", 1)
    del story.answered["a"]

    assert story.start("a", 1).wrong() == [(Wrong.TWICE, "a")]


def test_a_sequence_that_goes_down_within_a_key_is_named():
    assert Story().handled("b", 2).handled("a", 1).wrong() == [(Wrong.REORDERED, "a")]


def test_a_sequence_that_goes_down_is_named_also_across_processes():
    assert Story().handled("b", 2).began().handled("a", 1).wrong() == [(Wrong.REORDERED, "a")]


def test_keys_do_not_wait_for_each_other():
    story = Story().handled("b", 2).posted("a", outcome("handled"), key="source-1/BTC-USDT")

    assert story.start("a", 1, key="source-1/BTC-USDT").end("a").wrong() == []


def test_a_handler_that_begins_after_the_expiry_is_late():
    story = Story()
    story.now = 10 * SECOND

    assert story.handled("a", 1, expires=9 * SECOND).wrong() == [(Wrong.LATE, "a")]


def test_a_handler_whose_process_was_stopped_as_it_was_about_to_be_called_is_not_late():
    story = Story()
    story.pauses, story.now = [(8 * SECOND, 10 * SECOND)], 10 * SECOND

    assert story.handled("a", 1, expires=9 * SECOND).wrong() == []


def test_a_signal_that_a_kill_cut_off_ends_as_interrupted():
    story = Story().posted("a", outcome("interrupted")).start("a", 1).began()

    assert story.wrong() == []
    assert story.verdict().tallies[BOT].ends == {"interrupted": 1}


def test_a_handler_that_ended_may_be_told_as_interrupted_where_the_kill_came_before_the_note():
    assert Story().posted("a", outcome("interrupted")).start("a", 1).end("a").began().wrong() == []


def test_a_signal_interrupted_without_a_kill_is_named():
    assert Story().posted("a", outcome("interrupted")).start("a", 1).wrong() == [(Wrong.INTERRUPTED, "a")]


def test_two_signals_of_a_key_interrupted_by_one_kill_are_too_many():
    story = Story().posted("a", outcome("interrupted")).posted("b", outcome("interrupted"))

    story.start("a", 1).start("b", 2).began()

    assert Wrong.INTERRUPTED in [wrong for wrong, _ in story.wrong()]


def test_one_kill_may_interrupt_a_signal_of_each_key():
    story = Story().posted("a", outcome("interrupted")).posted("b", outcome("interrupted"), key="source-1/BTC-USDT")

    story.start("a", 1).start("b", 1, key="source-1/BTC-USDT").began()

    assert story.wrong() == []
    assert story.verdict().tallies[BOT].most_interrupted == 2


def test_more_signals_of_a_key_interrupted_before_their_handlers_began_than_there_were_kills_are_too_many():
    story = Story().posted("a", outcome("interrupted")).posted("b", outcome("interrupted")).began()

    assert [wrong for wrong, _ in story.wrong()] == [Wrong.INTERRUPTED]


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_handler_that_ran_and_that_the_gateway_shows_nothing_of_is_unreported(cut_off):
    story = Story().posted("a", outcome(None)).start("a", 1)
    story.began() if cut_off else story.end("a")

    assert story.wrong() == [(Wrong.UNREPORTED, "a")]


def test_an_end_that_only_the_gateway_saw_is_unexplained():
    assert Story().posted("a", outcome("handled")).wrong() == [(Wrong.UNEXPLAINED, "a")]


def test_a_handler_that_never_ended_and_is_told_as_handled_is_unexplained():
    assert Story().posted("a", outcome("handled")).start("a", 1).began().wrong() == [(Wrong.UNEXPLAINED, "a")]


@pytest.mark.parametrize("word", ["refused", "failed", "out_of_order", "withdrawn"])
def test_an_end_that_nobody_asked_for_is_unexplained(word):
    assert Story().posted("a", outcome(word)).wrong() == [(Wrong.UNEXPLAINED, "a")]


@pytest.mark.parametrize(
    "told",
    [
        outcome("expired", early=False),
        outcome(None, station="unheard", early=False),
        outcome(None, station="unanswered", early=False),
        outcome("out_of_order", early=False),
    ],
)
def test_a_signal_that_expired_with_that_outcome_shown_is_no_fault(told):
    assert Story().posted("a", told).wrong() == []


def test_a_signal_that_expired_when_nothing_was_broken_any_more_is_a_fault():
    assert Story().posted("a", outcome("expired", early=False), calm=True).wrong() == [(Wrong.UNEXPLAINED, "a")]


@pytest.mark.parametrize(
    ("told", "wrong"),
    [(outcome("expired"), Wrong.UNEXPLAINED), (outcome(None, station="unheard"), Wrong.LOST)],
    ids=["by the bot", "by the gateway"],
)
def test_a_signal_that_ended_as_too_late_before_its_expiry_is_a_fault(told, wrong):
    assert Story().posted("a", told).wrong() == [(wrong, "a")]


def test_a_signal_that_ran_and_is_told_as_expired_is_unexplained():
    story = Story().posted("a", outcome("expired", early=False)).start("a", 1).end("a")

    assert story.wrong() == [(Wrong.UNEXPLAINED, "a")]


@pytest.mark.parametrize("station", ["waiting", "held", "publishing"])
def test_a_signal_without_a_final_outcome_is_unfinished_also_where_it_was_handled(station):
    story = Story().handled("a", 1)
    story.outcomes["a"] = outcome("handled", station=station)

    assert story.wrong() == [(Wrong.UNFINISHED, "a")]


def test_a_signal_whose_receipt_the_gateway_still_awaits_is_unfinished():
    story = Story().handled("a", 1)
    story.outcomes["a"] = Outcome(Said("published", early=True), ((BOT, Said("handled", early=True)),), (OTHER,))

    assert story.wrong() == [(Wrong.UNFINISHED, "a")]


def test_a_signal_that_nobody_was_answered_for_may_be_handled_and_need_not_be():
    story = Story().handled("a", 1).posted("b", outcome(None))
    story.answered.clear()

    assert story.wrong() == []


def test_a_handled_signal_that_the_gateway_never_stored_is_unexplained():
    story = Story().handled("a", 1)
    story.answered.clear()
    story.outcomes.clear()

    assert story.wrong() == [(Wrong.UNEXPLAINED, "a")]


def test_a_signal_that_came_under_another_key_is_unexplained():
    story = Story().posted("a", outcome("handled"), key="source-9/XXX-USDT").start("a", 1).end("a")

    assert story.wrong() == [(Wrong.UNEXPLAINED, "a")]


def test_a_line_that_a_kill_cut_off_is_counted_and_harms_no_other():
    story = Story().handled("a", 1)
    story.lines += ['{"start":"b","key"\n', "\n"]
    story.began().handled("c", 3)

    assert story.wrong() == []
    assert read_account(BOT, story.lines).torn == 1
