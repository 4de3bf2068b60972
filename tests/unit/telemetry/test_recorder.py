"""Facts become metrics with closed labels and lines without secrets."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import LogCapture

from gateway.bots.liveness import Life, State
from gateway.errors import Code
from gateway.journal.model import Accepted, Depth, Destination, Draft, Identity, JournalSettings, Refusal, Station
from gateway.journal.reception import Unanswered, Unhandled
from gateway.journal.room import read_room
from gateway.telemetry import NullTelemetry, Recorder, Several, Telemetry
from gateway.telemetry.counted import BUCKETS
from gateway.telemetry.labels import CODES, NOT_STORED, NOTIFIED, OTHER, PROBLEMS, STATIONS, UNAUTHORISED
from schemas.errors import Fault
from schemas.fields import from_micros, micros_text
from schemas.receipt import Receipt, Stage

NOW = 1_795_352_101_000_000
SOURCE = "btc-breakout"


@dataclass
class Bench:
    recorder: Recorder
    lines: LogCapture
    now: int = NOW

    def value(self, name: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                if sample.name == f"signal_gateway_{name}" and sample.labels == labels:
                    return sample.value
        return None

    def text(self) -> str:
        return self.recorder.exposition("text/plain")[0].decode()


@pytest.fixture
def bench() -> Bench:
    lines = LogCapture()
    log = structlog.wrap_logger(None, processors=[lines])
    made = Bench(recorder=None, lines=lines)  # type: ignore[arg-type]
    made.recorder = Recorder(sources=[SOURCE], version="1.2.3", now=lambda: made.now, log=log)
    return made


def accepted(id_: str = "s1", *, source: str = SOURCE) -> Accepted:
    draft = Draft(
        id=id_,
        source=source,
        body="trade",
        mode="live",
        instrument="BTC-USDT",
        effect="open",
        key=f"{source}/BTC-USDT",
        accepted_at=NOW,
        expires_at=NOW + 60_000_000,
        head=b"{}",
        identity=Identity(key=None, fingerprint=b""),
        destinations=(Destination(name="signals", topic="t"),),
    )
    return Accepted(position=1, draft=draft, sequence=NOW)


def receipt(stage: Stage = Stage.HANDLED, *, id_: str = "s1", after: float = 0.25) -> Receipt:
    at = from_micros(NOW) + timedelta(seconds=after)
    return Receipt(signal=id_, bot="demo", stage=stage, at=at + timedelta(seconds=1), started_at=at)


@pytest.mark.parametrize("implementation", [NullTelemetry, Recorder, Several])
def test_every_listener_takes_every_fact_as_the_protocol_spells_it(implementation: type) -> None:
    verbs = {name: verb for name, verb in vars(Telemetry).items() if inspect.isfunction(verb) and name[0] != "_"}
    assert len(verbs) > 15
    for name, verb in verbs.items():
        assert inspect.signature(getattr(implementation, name)) == inspect.signature(verb), name


def test_the_listeners_satisfy_the_protocol_by_type(bench: Bench) -> None:
    listeners: list[Telemetry] = [NullTelemetry(), bench.recorder]
    for listener in listeners:
        listener.received(source=SOURCE)
    assert bench.value("received_total", source=SOURCE) == 1


def test_an_accepted_signal_is_counted_and_has_one_line_with_its_id(bench: Bench) -> None:
    bench.recorder.accepted(accepted())
    assert bench.value("accepted_total", source=SOURCE, body="trade") == 1
    assert bench.value("source_last_accepted_timestamp_seconds", source=SOURCE) == NOW / 1e6
    (line,) = bench.lines.entries
    assert (line["event"], line["id"], line["source"]) == ("accepted", "s1", SOURCE)


def test_a_refusal_is_counted_by_its_code_and_its_line_does_not_repeat_what_was_found(bench: Bench) -> None:
    fault = Fault(where="order.price", problem="is not a number", found="hunter2")
    bench.recorder.refused(Refusal(id="r1", source=SOURCE, at=NOW, code="invalid", faults=(fault,), size=10))
    assert bench.value("refused_total", source=SOURCE, code="invalid") == 1
    (line,) = bench.lines.entries
    assert line["id"] == "r1"
    assert line["problems"] == ["order.price: is not a number"]
    assert "hunter2" not in str(line)


def test_the_latency_to_the_callback_is_taken_once_for_each_signal(bench: Bench) -> None:
    bench.recorder.accepted(accepted())
    bench.recorder.receipt(receipt())
    bench.recorder.receipt(receipt())
    assert bench.value("webhook_to_callback_seconds_count", source=SOURCE) == 1
    assert bench.value("webhook_to_callback_seconds_sum", source=SOURCE) == pytest.approx(0.25)
    assert bench.value("receipts_total", stage="handled", source=SOURCE) == 2


def test_a_bots_clock_that_is_behind_counts_as_no_latency_at_all(bench: Bench) -> None:
    bench.recorder.accepted(accepted())
    bench.recorder.receipt(receipt(after=-3))
    assert bench.value("webhook_to_callback_seconds_sum", source=SOURCE) == 0


def test_a_receipt_that_started_nothing_has_no_latency(bench: Bench) -> None:
    bench.recorder.accepted(accepted())
    bench.recorder.receipt(Receipt(signal="s1", bot="demo", stage=Stage.RECEIVED, at=datetime.now(UTC)))
    assert bench.value("webhook_to_callback_seconds_count", source=SOURCE) == 0


def test_only_so_many_signals_are_remembered(bench: Bench) -> None:
    for number in range(10_000):
        bench.recorder.accepted(accepted(f"s{number}"))
    bench.recorder.receipt(receipt(id_="s0"))
    bench.recorder.receipt(receipt(id_="s9999"))
    assert bench.value("receipts_total", stage="handled", source=OTHER) == 1
    assert bench.value("receipts_total", stage="handled", source=SOURCE) == 1
    assert len(bench.recorder._awaited) <= 8192


def test_publishing_is_timed_and_the_buckets_have_a_cut_where_tradingview_gives_up(bench: Bench) -> None:
    bench.recorder.published(source=SOURCE, body="trade", seconds=2.9)
    assert bench.value("webhook_to_broker_seconds_bucket", source=SOURCE, le="3.0") == 1
    assert bench.value("webhook_to_broker_seconds_bucket", source=SOURCE, le="2.0") == 0
    assert 3.0 in BUCKETS


def test_labels_come_from_closed_lists_whatever_the_caller_says(bench: Bench) -> None:
    recorder, evil = bench.recorder, 'evil"\n{}'
    recorder.received(source=evil)
    recorder.unauthorised(cause=evil)
    recorder.turned_away(code=evil, problem="p")
    recorder.refused(Refusal(id="r", source=evil, at=NOW, code=evil, faults=(), size=0))
    recorder.not_stored(cause=evil)
    recorder.accepted(accepted(source=evil))
    recorder.duplicate(source=evil, id_=evil)
    recorder.published(source=evil, body=evil, seconds=1)
    recorder.outcome(station=evil, source=evil)
    recorder.receipt(receipt(id_=evil))
    recorder.unreadable_card(topic=evil, problem=evil)
    recorder.unreadable_receipt(topic=evil, problem=evil)
    recorder.http_request(listener=evil, route=evil, method=evil, status=200, seconds=1)
    recorder.audited(who=evil, what=evil, target=evil, outcome=evil)
    assert "evil" not in bench.text()
    assert bench.value("accepted_total", source=OTHER, body="trade") == 1


def test_the_lists_of_labels_are_those_of_the_code() -> None:
    assert {station.value for station in Station} == STATIONS
    assert {code.code for code in Code} == CODES


def test_every_metric_has_the_prefix_and_a_base_unit(bench: Bench) -> None:
    bench.recorder.watch_outbox(lambda: Depth(waiting=0, oldest=None), now=lambda: NOW)
    names = {f.name for f in text_string_to_metric_families(bench.text()) if not f.name.startswith("process_")}
    assert len(names) > 20
    assert all(name.startswith("signal_gateway_") for name in names)
    assert not [name for name in names if name.endswith(("_ms", "_millis", "_minutes"))]


def test_the_outbox_is_asked_when_the_metrics_are_read(bench: Bench) -> None:
    depth = Depth(waiting=0, oldest=None)
    bench.recorder.watch_outbox(lambda: depth, now=lambda: NOW)
    assert bench.value("outbox_oldest_age_seconds") == 0
    depth = Depth(waiting=7, oldest=NOW - 30_000_000)
    assert bench.value("outbox_depth") == 7
    assert bench.value("outbox_oldest_age_seconds") == 30


def test_the_journal_is_asked_whether_it_can_store_when_the_metrics_are_read(bench: Bench) -> None:
    trouble = None
    bench.recorder.watch_journal(lambda: trouble)
    assert bench.value("journal_writable") == 1
    trouble = "the disk is full"
    assert bench.value("journal_writable") == 0


def test_receipts_that_were_left_out_are_counted_by_why(bench: Bench) -> None:
    bench.recorder.receipts_left_out(unknown=2, surplus=0)
    bench.recorder.receipts_left_out(unknown=0, surplus=3)
    assert (bench.value("unknown_receipts_total"), bench.value("surplus_receipts_total")) == (2, 3)


def test_the_broker_and_the_version_are_shown(bench: Bench) -> None:
    bench.recorder.broker_connected(connected=True)
    assert bench.value("broker_connected") == 1
    assert bench.value("broker_reconnects_total") == 0

    bench.recorder.broker_connected(connected=False)
    bench.recorder.broker_connected(connected=True)
    assert bench.value("broker_reconnects_total") == 1
    assert bench.value("build_info", version="1.2.3") == 1
    bench.recorder.broker_connected(connected=False)
    assert bench.value("broker_connected") == 0


def test_a_configured_source_shows_zeros_before_its_first_signal(bench: Bench) -> None:
    assert bench.value("received_total", source=SOURCE) == 0
    assert bench.value("unexpected_errors_total") is not None


def test_a_flood_without_secrets_is_counted_whole_and_logged_in_part(bench: Bench) -> None:
    for _ in range(500):
        bench.recorder.unauthorised(cause="wrong_secret")
    assert bench.value("unauthorised_total", cause="wrong_secret") == 500
    assert len(bench.lines.entries) == 10
    bench.now += 1_000_000
    bench.recorder.unauthorised(cause="wrong_secret")
    assert len(bench.lines.entries) == 11


@pytest.mark.parametrize(("claimed", "logged"), [(SOURCE, SOURCE), ("no-source-of-mine", None)])
def test_a_caller_without_a_secret_is_logged_with_its_source_where_there_is_one(
    bench: Bench, claimed: str, logged: str | None
) -> None:
    bench.recorder.unauthorised(cause="wrong_secret", source=claimed)
    assert bench.lines.entries[0].get("source") == logged


def test_an_unforeseen_error_is_counted_and_logged_with_its_traceback(bench: Bench) -> None:
    error = RuntimeError("boom")
    bench.recorder.unexpected(where="public", error=error)
    assert bench.value("unexpected_errors_total") == 1
    assert bench.lines.entries[0]["exc_info"] is error


def test_a_change_has_an_audit_line(bench: Bench) -> None:
    bench.recorder.audited(who="cli", what="mint a token", target=SOURCE, outcome="done")
    assert bench.value("api_changes_total", outcome="done") == 1
    (line,) = bench.lines.entries
    assert {"event": "audit", "who": "cli", "what": "mint a token", "target": SOURCE, "outcome": "done"}.items() <= (
        line.items()
    )


def test_two_recorders_share_nothing() -> None:
    one, two = (Recorder(sources=["a"], version="1", now=lambda: NOW) for _ in range(2))
    one.received(source="a")
    assert b'received_total{source="a"} 1.0' in one.exposition("")[0]
    assert b'received_total{source="a"} 0.0' in two.exposition("")[0]


def test_a_bots_clock_that_is_off_is_a_warning_that_says_what_to_do_and_one_that_is_right_again_is_a_line(
    bench: Bench,
) -> None:
    bench.recorder.bot_clock(bot="demo", problem="clock is 45.0 s ahead of the gateway's")
    bench.recorder.bot_clock(bot="demo", problem=None)
    off, right = bench.lines.entries
    assert (off["event"], off["log_level"], off["bot"]) == ("bot_clock_off", "warning", "demo")
    assert off["problem"] == "its clock is 45.0 s ahead of the gateway's"
    assert "NTP" in off["remedy"]
    assert (right["event"], right["bot"]) == ("bot_clock_right", "demo")


def test_only_a_bot_with_a_login_is_a_label_also_one_that_came_while_the_gateway_runs(bench: Bench) -> None:
    offsets, named = {"demo": 1.5, "late": -45.0, "nobody": 3.0, "no-one": -9.0}, {"demo"}
    bench.recorder.watch_clocks(lambda: offsets, named=lambda: named)
    assert bench.value("bot_clock_offset_seconds", bot="demo") == 1.5
    assert bench.value("bot_clock_offset_seconds", bot=OTHER) == -45.0
    named.add("late")
    assert bench.value("bot_clock_offset_seconds", bot="late") == -45.0
    assert bench.value("bot_clock_offset_seconds", bot=OTHER) == -9.0


def test_a_bot_that_is_named_is_a_label_whatever_is_known_of_it_and_all_are_counted_by_how_they_are(
    bench: Bench,
) -> None:
    lives = {"demo": Life(state=State.ALIVE, seen_at=NOW - 5_000_000), "gone": Life(state=State.DEAD, seen_at=NOW)}
    lives["left"] = Life(state=State.LEFT, seen_at=NOW)
    lives |= {f"bot{number}": Life(state=State.ALIVE, seen_at=NOW) for number in range(5000)}
    bench.recorder.watch_bots(lambda: lives, named=lambda: ["demo", "gone", "left", "never"])

    alive = {bot: bench.value("bot_alive", bot=bot) for bot in ("demo", "gone", "never", "bot1")}
    assert alive == {"demo": 1, "gone": 0, "never": 0, "bot1": None}
    dead = {bot: bench.value("bot_dead", bot=bot) for bot in ("demo", "gone", "left", "never", "bot1")}
    assert dead == {"demo": 0, "gone": 1, "left": 0, "never": 0, "bot1": None}
    ages = {bot: bench.value("bot_last_seen_age_seconds", bot=bot) for bot in ("demo", "gone", "never")}
    assert ages == {"demo": 5, "gone": 0, "never": None}
    counted = {state: bench.value("bots", state=state) for state in ("alive", "dead", "left", "unknown")}
    assert counted == {"alive": 5001, "dead": 1, "left": 1, "unknown": 0}
    assert len(bench.text()) < 100_000


def test_what_bots_tell_is_counted_and_what_cannot_be_read_is_named_at_a_bounded_length_and_rate(bench: Bench) -> None:
    bench.recorder.bot_message(channel="hb")
    bench.recorder.bot_message(channel="no channel")
    for _ in range(1000):
        bench.recorder.unreadable_telemetry(topic="hbot/" + "x" * 60_000, problem="no JSON")

    assert bench.value("bot_messages_total", channel="hb") == 1
    assert bench.value("bot_messages_total", channel=OTHER) == 1
    assert bench.value("unreadable_messages_total", kind="telemetry") == 1000
    assert len(bench.lines.entries) == 10
    assert max(len(str(line)) for line in bench.lines.entries) < 1000


def test_strangers_and_talkative_bots_keep_no_line_of_another_kind_out_of_the_log(bench: Bench) -> None:
    for _ in range(100):
        bench.recorder.unauthorised(cause="wrong_secret")
        bench.recorder.bot_notified(bot="demo", text="a word")
    bench.recorder.bot_dead(bot="demo", last_seen=NOW)

    assert [line["event"] for line in bench.lines.entries].count("unauthorised") == 10
    assert bench.lines.entries[-1]["event"] == "bot_dead"


def unhandled(stage: Stage = Stage.FAILED, reason: str = "ValueError: no") -> Unhandled:
    found = Receipt(signal="s1", bot="demo", stage=stage, handler="act", reason=reason, at=from_micros(NOW))
    return Unhandled(found, SOURCE, "BTC-USDT", "reduce")


def test_what_became_of_a_signal_that_did_not_go_well_has_a_line_with_its_id_and_its_reason(bench: Bench) -> None:
    unanswered = Unanswered("s1", SOURCE, "BTC-USDT", "open", ("demo",), handled=False)
    bench.recorder.undelivered(unanswered, station="denied", reason="not authorised (0x87)")
    bench.recorder.unanswered(unanswered)
    bench.recorder.unhandled(unhandled())

    assert [line["event"] for line in bench.lines.entries] == ["undelivered", "unanswered", "unhandled"]
    assert {(line["id"], line["source"], line["instrument"]) for line in bench.lines.entries} == {
        ("s1", SOURCE, "BTC-USDT")
    }
    assert [line.get("reason") for line in bench.lines.entries] == ["not authorised (0x87)", None, "ValueError: no"]
    assert bench.value("outcomes_total", station="denied", source=SOURCE) == 1
    assert bench.value("outcomes_total", station="unanswered", source=SOURCE) == 1


def test_the_life_of_bots_and_sources_has_a_line_each(bench: Bench) -> None:
    bench.recorder.bot_dead(bot="demo", last_seen=NOW)
    bench.recorder.bot_left(bot="demo")
    bench.recorder.bot_back(bot="demo")
    bench.recorder.bot_forgotten(bot="demo")
    bench.recorder.source_silent(source=SOURCE, seconds=61.2)
    bench.recorder.source_heard(source=SOURCE, seconds=70)

    assert [line["event"] for line in bench.lines.entries] == [
        "bot_dead",
        "bot_left",
        "bot_back",
        "bot_forgotten",
        "source_silent",
        "source_heard",
    ]
    assert bench.lines.entries[0]["last_seen"] == micros_text(NOW)


def test_a_source_is_silent_from_when_it_is_said_until_it_is_heard(bench: Bench) -> None:
    assert bench.value("source_silent", source=SOURCE) == 0
    bench.recorder.source_silent(source=SOURCE, seconds=61.2)
    assert bench.value("source_silent", source=SOURCE) == 1
    bench.recorder.source_heard(source=SOURCE, seconds=70)
    assert bench.value("source_silent", source=SOURCE) == 0


def test_what_alerts_count_is_there_at_zero_before_it_happens_first(bench: Bench) -> None:
    assert {bench.value("outcomes_total", station=name, source=SOURCE) for name in STATIONS} == {0}
    assert {bench.value("receipts_total", stage=stage, source=SOURCE) for stage in Stage} == {0}
    assert {bench.value("unauthorised_total", cause=cause) for cause in UNAUTHORISED} == {0}
    assert {bench.value("not_stored_total", cause=cause) for cause in NOT_STORED} == {0}
    assert {bench.value("problems_total", kind=kind) for kind in PROBLEMS} == {0}
    assert {bench.value("notifications_total", outcome=outcome) for outcome in NOTIFIED} == {0}


def test_how_full_the_journal_and_its_disk_are_is_asked_when_the_metrics_are_read(bench: Bench, tmp_path: Path) -> None:
    journal = JournalSettings(path=str(tmp_path / "journal.db"), max_bytes=4096)
    bench.recorder.watch_room(lambda: read_room(journal))
    (tmp_path / "journal.db").write_bytes(b"123")
    (tmp_path / "journal.db-wal").write_bytes(b"45")

    assert bench.value("journal_bytes") == 5
    assert bench.value("journal_max_bytes") == 4096
    assert 0 < (bench.value("journal_disk_free_bytes") or 0) <= (bench.value("journal_disk_size_bytes") or 0)


def test_a_journal_disk_that_does_not_answer_takes_no_other_metric_along(bench: Bench, tmp_path: Path) -> None:
    bench.recorder.watch_room(lambda: read_room(JournalSettings(path=str(tmp_path / "away" / "journal.db"))))

    assert bench.value("journal_bytes") is None
    assert bench.value("broker_connected") == 0


def test_the_broker_certificate_has_an_end_while_one_is_shown(bench: Bench) -> None:
    ends: list[float | None] = [None, 1_795_352_101.0]
    bench.recorder.watch_certificate(lambda: ends.pop(0))

    assert bench.value("broker_certificate_expiry_timestamp_seconds") is None
    assert bench.value("broker_certificate_expiry_timestamp_seconds") == 1_795_352_101.0


def test_ml_signals_are_counted_and_what_changes_and_what_is_found_has_a_line(bench: Bench) -> None:
    for outcome in ("prediction", "neutral", "neutral", "denied", "evil"):
        bench.recorder.ml_signal(outcome=outcome)
    bench.recorder.ml_signal_changed(pair="BTC-USDT", id_="s1", neutral_as="")
    bench.recorder.ml_signal_changed(pair="BTC-USDT", id_="s1.neutral", neutral_as="the prediction expired")
    bench.recorder.retained_found(topic="hbot/predictions/btc_usdt/ML_SIGNALS", problem="it is denied")

    counted = {
        name: bench.value("ml_signals_total", outcome=name) for name in ("prediction", "neutral", "denied", OTHER)
    }
    assert counted == {"prediction": 1, "neutral": 2, "denied": 1, OTHER: 1}
    assert bench.value("retained_found_total") == 1
    said, neutral, found = bench.lines.entries
    assert (said["event"], said["pair"], said["id"], said["neutral_as"]) == ("ml_signal", "BTC-USDT", "s1", "")
    assert neutral["neutral_as"] == "the prediction expired"
    assert (found["event"], found["log_level"], found["problem"]) == ("retained_found", "warning", "it is denied")
    assert found["topic"] == "hbot/predictions/btc_usdt/ML_SIGNALS"


def test_a_bot_that_talks_without_end_gets_few_lines_of_limited_length(bench: Bench) -> None:
    for _ in range(1000):
        bench.recorder.bot_notified(bot="demo", text="x" * 100_000)

    assert 0 < len(bench.lines.entries) <= 10
    assert len(bench.lines.entries[0]["text"]) == 500


def test_problems_and_notifications_are_counted_and_what_was_not_sent_says_why(bench: Bench) -> None:
    bench.recorder.problem(kind="refused")
    bench.recorder.problem(kind='evil"')
    bench.recorder.notified(target="target 1, json://127.0.0.1", outcome="sent", problem="")
    bench.recorder.notified(target="target 2, tgram", outcome="failed", problem="it answered 401")

    assert bench.value("problems_total", kind="refused") == 1
    assert bench.value("problems_total", kind=OTHER) == 1
    assert bench.value("notifications_total", outcome="sent") == 1
    assert bench.value("notifications_total", outcome="failed") == 1
    sent, failed = bench.lines.entries
    assert (sent["event"], sent["log_level"]) == ("notified", "info")
    assert (failed["target"], failed["problem"]) == ("target 2, tgram", "it answered 401")
