"""Which facts are problems, of which kind, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.journal import Refusal, Unanswered, Unhandled
from gateway.notify.problems import Kind, Problem
from gateway.notify.silence import Silence
from gateway.notify.watch import Watch, lasted
from gateway.telemetry import NullTelemetry
from schemas.errors import Fault
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from tests.journal_drafts import START, draft

ID = "0193a6c2-7e4d-7a10-8f3b-0a1b2c3d4e5f"


class Bench:
    """A watch, what it told, and a timer that is set by hand."""

    def __init__(self) -> None:
        self.told: list[Problem] = []
        self.now = 100.0
        self.trouble: str | None = None
        self.watch = Watch(self.told.append, clock=lambda: START, timer=lambda: self.now, broker_away_after=60)
        self.watch.broker_connected(connected=True)
        self.watch.watch_journal(lambda: self.trouble)

    def look(self, *, after: float = 0) -> list[tuple[Kind, bool, str]]:
        """What it tells at a look."""
        self.now += after
        self.told.clear()
        self.watch.look()
        return [(problem.kind, problem.over, problem.text) for problem in self.told]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def unanswered(effect: str = "open", *, bots: tuple[str, ...] = ("one",), handled: bool = False) -> Unanswered:
    return Unanswered(ID, "tv", "BTC-USDT", effect, bots, handled)


def unhandled(
    stage: Stage, *, effect: str = "open", reason: str | None = "why", handler: str | None = "act"
) -> Unhandled:
    at = from_micros(START)
    receipt = Receipt(signal=ID, bot="demo", stage=stage, at=at, handler=handler, reason=reason)
    return Unhandled(receipt, "tv", "BTC-USDT", effect)


def test_a_refused_alert_is_told_with_its_faults_and_without_what_was_found(bench: Bench) -> None:
    price = Fault(where="order.price", problem="is not a number", found="hunter2")
    faults = (price, Fault(where="", problem="is empty"))
    bench.watch.refused(Refusal(id="r1", source="tv", at=START, code="invalid", faults=faults, size=9))

    assert bench.told == [
        Problem(
            kind=Kind.REFUSED,
            subject="source tv",
            text="what tv sent was refused as invalid: order.price: is not a number; is empty",
            at=START,
            source="tv",
        )
    ]


@pytest.mark.parametrize("station", ["expired", "unheard", "unknown"])
def test_an_exit_that_never_reached_a_bot_is_told_and_an_entry_is_not(bench: Bench, station: str) -> None:
    bench.watch.undelivered(unanswered("open"), station=station, reason="because")
    assert bench.told == []

    bench.watch.undelivered(unanswered("reduce"), station=station, reason="because")
    (told,) = bench.told
    assert (told.kind, told.subject, told.source, told.signal) == (Kind.REDUCE_EXPIRED, "tv/BTC-USDT", "tv", ID)
    assert told.text == f"an exit of tv for BTC-USDT ended as {station}: because"


@pytest.mark.parametrize(("station", "kind"), [("denied", Kind.DENIED), ("dead", Kind.DEAD)])
@pytest.mark.parametrize(("effect", "what"), [("open", "an entry"), ("reduce", "an exit"), ("", "a signal")])
def test_what_the_broker_will_not_have_is_told_whatever_it_is(
    bench: Bench, station: str, kind: Kind, effect: str, what: str
) -> None:
    bench.watch.undelivered(unanswered(effect), station=station, reason="because")

    (told,) = bench.told
    assert (told.kind, told.subject) == (kind, "source tv, BTC-USDT" if effect == "reduce" else "source tv")
    assert told.text == f"{what} of tv for BTC-USDT ended as {station}: because"


def test_each_bot_that_did_not_answer_is_told(bench: Bench) -> None:
    bench.watch.unanswered(unanswered(bots=("one", "two")))

    assert [(told.kind, told.subject, told.bots) for told in bench.told] == [
        (Kind.UNANSWERED, "bot one", ("one",)),
        (Kind.UNANSWERED, "bot two", ("two",)),
    ]
    assert bench.told[0].text == "bot one sent no receipt for an entry of tv for BTC-USDT until it expired"


def test_an_exit_that_no_bot_handled_is_lost_and_one_that_another_bot_handled_is_unanswered(bench: Bench) -> None:
    bench.watch.unanswered(unanswered("reduce", bots=("one", "two")))
    bench.watch.unanswered(unanswered("reduce", handled=True))

    lost, rest = bench.told
    assert (lost.kind, lost.subject, lost.bots) == (Kind.REDUCE_EXPIRED, "tv/BTC-USDT", ("one", "two"))
    assert lost.text == "an exit of tv for BTC-USDT was not answered by one, two"
    assert (rest.kind, rest.subject) == (Kind.UNANSWERED, "bot one")


@pytest.mark.parametrize(
    ("stage", "kind", "did"),
    [
        (Stage.FAILED, Kind.FAILED, "failed on"),
        (Stage.INTERRUPTED, Kind.INTERRUPTED, "was interrupted, and does not run again, on"),
        (Stage.REFUSED, Kind.REFUSED, "refused"),
    ],
)
def test_a_bot_that_left_a_signal_undone_is_told_with_its_reason(
    bench: Bench, stage: Stage, kind: Kind, did: str
) -> None:
    bench.watch.unhandled(unhandled(stage, reason="ValueError: no"))
    bench.watch.unhandled(unhandled(stage, reason=None, handler=None))

    told, bare = bench.told
    assert (told.kind, told.subject, told.source, told.bots, told.signal) == (kind, "bot demo", "tv", ("demo",), ID)
    assert told.text == f"handler act of bot demo {did} an entry of tv for BTC-USDT: ValueError: no"
    assert bare.text == f"bot demo {did} an entry of tv for BTC-USDT"


@pytest.mark.parametrize("stage", [Stage.FAILED, Stage.INTERRUPTED, Stage.REFUSED])
def test_an_exit_that_a_bot_left_undone_does_not_count_as_one_more_entry(bench: Bench, stage: Stage) -> None:
    bench.watch.unhandled(unhandled(stage))
    bench.watch.unhandled(unhandled(stage, effect="reduce"))

    assert [told.subject for told in bench.told] == ["bot demo", "bot demo, BTC-USDT"]


def test_an_exit_that_came_too_late_for_its_bot_is_told_and_an_entry_is_not(bench: Bench) -> None:
    bench.watch.unhandled(unhandled(Stage.EXPIRED))
    assert bench.told == []

    bench.watch.unhandled(unhandled(Stage.EXPIRED, effect="reduce"))
    (told,) = bench.told
    assert (told.kind, told.subject, told.bots) == (Kind.REDUCE_EXPIRED, "tv/BTC-USDT", ("demo",))
    assert told.text == "an exit of tv for BTC-USDT expired at bot demo: why"


def test_a_bot_is_told_to_be_dead_and_to_be_back_or_gone_for_good(bench: Bench) -> None:
    bench.watch.bot_dead(bot="demo", last_seen=START)
    bench.watch.bot_back(bot="demo")
    bench.watch.bot_left(bot="demo")
    bench.watch.bot_forgotten(bot="demo")

    dead, back, left, forgotten = bench.told
    assert (left.over, left.moot, left.text) == (True, False, "bot demo said goodbye")
    assert {(told.kind, told.subject, told.bots) for told in bench.told} == {(Kind.BOT_DEAD, "bot demo", ("demo",))}
    assert dead.text == (
        "bot demo is dead: its last sign of life was at 2026-11-22T12:55:01Z; "
        "look at its process (signal-gateway bots show demo)"
    )
    assert (dead.over, back.over, back.moot, forgotten.over, forgotten.moot) == (False, True, False, True, True)


def test_a_bots_own_words_are_told_as_they_are(bench: Bench) -> None:
    bench.watch.bot_notified(bot="demo", text="\nWinding down...")

    (told,) = bench.told
    assert (told.kind, told.subject, told.text) == (Kind.BOT_NOTIFIED, "bot demo", "\nWinding down...")


def test_of_endless_words_a_beginning_is_kept(bench: Bench) -> None:
    bench.watch.bot_notified(bot="demo", text="x" * 1_000_000)

    assert len(bench.told[0].text) == 2000


def test_the_broker_is_told_to_be_away_after_its_time_once_and_to_be_back(bench: Bench) -> None:
    bench.watch.broker_connected(connected=False)
    assert bench.look(after=59.9) == []
    assert bench.look(after=0.1) == [
        (Kind.BROKER_AWAY, False, "the broker is away for 1 min: signals wait, and expire")
    ]
    assert bench.look(after=1000) == []

    bench.told.clear()
    bench.watch.broker_connected(connected=True)
    assert [(told.over, told.text) for told in bench.told] == [(True, "the broker is back, after 17 min 40 s")]


def test_a_broker_that_was_away_for_a_moment_is_told_to_nobody(bench: Bench) -> None:
    bench.watch.broker_connected(connected=False)
    bench.look(after=59)
    bench.watch.broker_connected(connected=True)

    assert bench.look(after=1000) == []


def test_a_broker_that_was_never_there_is_away_from_the_start() -> None:
    told: list[Problem] = []
    times = iter([0.0, 59.0, 60.0])
    watch = Watch(told.append, clock=lambda: START, timer=lambda: next(times), broker_away_after=60)
    watch.look()
    assert told == []
    watch.look()

    assert [problem.kind for problem in told] == [Kind.BROKER_AWAY]


def test_a_journal_that_cannot_store_is_told_once_and_when_it_can_again(bench: Bench) -> None:
    assert bench.look() == []
    bench.trouble = "journal.db cannot be written: the disk is full."
    unwritable = "no signal can be stored: journal.db cannot be written: the disk is full."
    assert bench.look() == [(Kind.JOURNAL_UNWRITABLE, False, unwritable)]
    assert bench.look() == []
    bench.trouble = None
    assert bench.look() == [(Kind.JOURNAL_UNWRITABLE, True, "signals can be stored again")]
    assert bench.look() == []


class Heard(NullTelemetry):
    """Writes down who fell silent and who was heard again."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, float]] = []

    def source_silent(self, *, source: str, seconds: float) -> None:
        self.said.append(("silent", source, seconds))

    def source_heard(self, *, source: str, seconds: float) -> None:
        self.said.append(("heard", source, seconds))


class Accepted:
    """A signal that was accepted."""

    def __init__(self, source: str) -> None:
        self.draft, self.sequence, self.possible_duplicate_of = draft(source=source), 1, None


def silence_at(times: list[float], expected: dict[str, float]) -> tuple[Silence, Heard, Callable[[float], None]]:
    heard = Heard()
    made = Silence(expected, telemetry=heard, timer=lambda: times[-1])

    def look(at: float) -> None:
        times.append(at)
        made.look()

    return made, heard, look


def test_a_source_is_silent_when_nothing_was_accepted_for_its_time_since_the_start() -> None:
    _, heard, look = silence_at([0.0], {"tv": 60, "other": 600})
    look(60)
    assert heard.said == []
    look(61)
    look(62)

    assert heard.said == [("silent", "tv", 61)]


def test_a_source_is_silent_when_nothing_was_accepted_since_its_last_signal_and_is_heard_with_the_next() -> None:
    silence, heard, look = silence_at([0.0], {"tv": 60})
    silence.accepted(Accepted("tv"))
    silence.accepted(Accepted("one that is not expected"))
    look(59)
    look(119)
    assert heard.said == []
    look(120)
    silence.accepted(Accepted("tv"))
    look(200)
    look(201)

    assert heard.said == [("silent", "tv", 61), ("heard", "tv", 141)]


def test_a_silent_source_is_a_problem_until_it_is_heard(bench: Bench) -> None:
    bench.watch.source_silent(source="tv", seconds=86_460)
    bench.watch.source_heard(source="tv", seconds=90_000)

    silent, heard = bench.told
    assert (silent.kind, silent.subject, silent.source) == (Kind.SOURCE_SILENT, "source tv", "tv")
    assert silent.text == "no signal of source tv was accepted for 1 d 1 min"
    assert (heard.over, heard.text) == (True, "source tv is heard again, after 1 d 1 h")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3661, "1 h 1 min"), (90_061, "1 d 1 h")]
)
def test_a_time_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert lasted(seconds) == text


@pytest.mark.parametrize(
    ("problem", "became"), [("", "and was cleared"), ("it is denied", "and is still there: it is denied")]
)
def test_a_retained_message_is_told_with_its_topic_and_what_became_of_it(
    bench: Bench, problem: str, became: str
) -> None:
    bench.watch.retained_found(topic="hbot/predictions/btc_usdt/ML_SIGNALS", problem=problem)

    (told,) = bench.told
    assert (told.kind, told.over) == (Kind.RETAINED_FOUND, False)
    assert "hbot/predictions/btc_usdt/ML_SIGNALS" in told.text
    assert told.text.endswith(became)
