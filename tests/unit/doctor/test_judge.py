"""What the doctor makes of what was seen: the grade of each fault, its cure, and that a sound thing is no finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from gateway.doctor.cures import cure
from gateway.doctor.judge import judge_bot, judge_doors, judge_greeting, judge_kept, judge_reach, judge_retained
from gateway.doctor.seen import CLOSED, BotReach, Doors, Greeted, Kept, Kind, Reach, Wire
from gateway.doctor.transport import judge_wire
from gateway.doctor.verdict import Grade, Verdict, report, sound, unseen

REFUSED = 0x87
DOORS = Doors(anonymous=0x86, stranger=0x86, impostor=0x86)
GREETED = Greeted(version5=True, asked_expiry=3600, session_expiry=3600, receive_maximum=20, max_packet_size=None)
REACH = Reach(
    cannot_publish=(),
    cannot_subscribe=(),
    beyond=REFUSED,
    beyond_heard=False,
    hears=True,
    took=0.01,
    largest=0,
    version="mosquitto version 2.0.11",
)
KEPT = Kept(sent=1000, acknowledged=1000, came=1000, session_present=True, expired_came=False)
WIRE = Wire(encrypted=True, loopback=False, expires=100 * 86_400)


def found(verdicts: Iterable[Verdict]) -> list[tuple[Grade, str]]:
    return [(verdict.grade, verdict.code) for verdict in report(verdicts).findings]


def test_what_is_as_it_should_be_is_no_finding() -> None:
    verdicts = [
        *judge_doors(DOORS, Kind.MOSQUITTO),
        *judge_greeting(GREETED, Kind.MOSQUITTO, window=16),
        *judge_reach(REACH, Kind.MOSQUITTO, version5=True),
        *judge_kept(KEPT, Kind.MOSQUITTO),
        *judge_bot(BotReach(name="demo", code=0, tried=9), Kind.MOSQUITTO),
        *judge_retained((), Kind.MOSQUITTO, by="demo"),
        *judge_wire(WIRE, Kind.MOSQUITTO, now=0),
    ]

    assert found(verdicts) == []
    assert {verdict.grade for verdict in verdicts} == {Grade.SOUND}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"anonymous": 0}, "anonymous"),
        ({"stranger": 0}, "any-password"),
        ({"impostor": 0}, "any-password"),
    ],
)
def test_whoever_gets_in_is_about_money(changes: dict[str, int], expected: str) -> None:
    assert found(judge_doors(replace(DOORS, **changes), Kind.EMQX)) == [(Grade.MONEY, expected)]


def test_a_door_that_is_closed_without_an_answer_is_closed() -> None:
    assert found(judge_doors(Doors(anonymous=CLOSED, stranger=CLOSED, impostor=None), Kind.OTHER)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_qos": 0}, (Grade.SIGNALS, "qos")),
        ({"retains": False}, (Grade.SIGNALS, "retain")),
        ({"wildcards": False}, (Grade.SIGNALS, "wildcards")),
        ({"max_packet_size": 65_536}, (Grade.SIGNALS, "packet-size")),
        ({"receive_maximum": 19}, (Grade.TROUBLE, "window")),
        ({"session_expiry": 0}, (Grade.SIGNALS, "session")),
        ({"session_expiry": 3599}, (Grade.SIGNALS, "session")),
    ],
)
def test_what_a_connack_promises_too_little_of_is_found(changes: dict[str, int], expected: tuple[Grade, str]) -> None:
    assert found(judge_greeting(replace(GREETED, **changes), Kind.EMQX, window=16)) == [expected]


def test_shared_subscriptions_are_not_needed() -> None:
    (verdict,) = judge_greeting(replace(GREETED, shares=False), Kind.OTHER, window=16)

    assert verdict.grade is Grade.SOUND
    assert "no shared subscriptions" in verdict.says


@pytest.mark.parametrize(
    ("offers5", "kind", "grade"),
    [(True, Kind.OTHER, Grade.SIGNALS), (False, Kind.OTHER, Grade.LIMIT), (False, Kind.EMBEDDED, Grade.LIMIT)],
)
def test_the_older_version_is_a_finding_only_where_the_broker_has_the_newer(
    offers5: bool,  # noqa: FBT001
    kind: Kind,
    grade: Grade,
) -> None:
    greeted = Greeted(version5=False, offers5=offers5)

    assert [verdict.grade for verdict in judge_greeting(greeted, kind, window=16)] == [grade]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cannot_publish": ("hbot/x/start",)}, (Grade.SIGNALS, "gateway-denied")),
        ({"cannot_subscribe": ("signals/v1/receipt/+",)}, (Grade.SIGNALS, "gateway-denied")),
        ({"beyond": CLOSED}, (Grade.TROUBLE, "closes")),
        ({"beyond": 0}, (Grade.SIGNALS, "reasons")),
        ({"beyond": 0x10}, (Grade.SIGNALS, "reasons")),
        ({"beyond": 0, "beyond_heard": True}, (Grade.TROUBLE, "gateway-unbounded")),
        ({"largest": CLOSED}, (Grade.SIGNALS, "packet-size")),
        ({"largest": 0x95}, (Grade.SIGNALS, "packet-size")),
        ({"took": 1.2}, (Grade.SIGNALS, "slow")),
        ({"version": "mosquitto version 1.6.9"}, (Grade.TROUBLE, "version")),
    ],
)
def test_what_the_gateways_login_meets_is_found(changes: dict[str, object], expected: tuple[Grade, str]) -> None:
    assert found(judge_reach(replace(REACH, **changes), Kind.MOSQUITTO, version5=True)) == [expected]  # type: ignore[arg-type]


def test_a_gateway_that_may_not_read_the_doctors_topic_leaves_the_queue_unexamined() -> None:
    verdicts = list(judge_reach(replace(REACH, hears=False), Kind.EMQX, version5=True))

    assert [(one.grade, one.code) for one in verdicts if one.grade is Grade.UNSEEN] == [(Grade.UNSEEN, "doctor-denied")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"came": 100}, (Grade.SIGNALS, "queue")),
        ({"session_present": False, "came": 0}, (Grade.SIGNALS, "session")),
        ({"expired_came": True}, (Grade.TROUBLE, "expiry")),
    ],
)
def test_what_is_not_kept_is_found(changes: dict[str, int], expected: tuple[Grade, str]) -> None:
    assert found(judge_kept(replace(KEPT, **changes), Kind.MOSQUITTO)) == [expected]


def test_a_loss_after_the_acknowledgement_is_counted() -> None:
    (verdict, _) = judge_kept(replace(KEPT, came=100), Kind.MOSQUITTO)

    assert "900 were lost after it had acknowledged them" in verdict.says


def test_a_bot_whose_login_is_refused_is_not_said_to_be_well() -> None:
    (verdict,) = judge_bot(BotReach(name="demo", code=REFUSED), Kind.OTHER)

    assert verdict.grade is Grade.UNSEEN
    assert "bots rotate demo" in verdict.cure


def test_a_bot_that_may_not_subscribe_to_its_own_loses_signals() -> None:
    bot = BotReach(name="demo", code=0, cannot_subscribe=("signals/v1/trade/+/+",), tried=9)

    assert found(judge_bot(bot, Kind.EMQX)) == [(Grade.SIGNALS, "bot-denied")]


def test_what_nobody_could_say_to_a_bot_is_not_said_to_be_unheard() -> None:
    verdicts = list(judge_bot(BotReach(name="demo", code=0, unsaid=("signals-test/v1/doctor/+",), tried=8), Kind.EMQX))

    assert [(one.grade, one.code) for one in verdicts if one.grade is not Grade.SOUND] == [(Grade.UNSEEN, "bot-reads")]


@pytest.mark.parametrize("other", [{"anonymous": 3}, {"stranger": 0x89}, {"impostor": 0x97}])
def test_a_door_that_is_closed_to_everybody_just_now_is_not_said_to_be_closed(other: dict[str, int]) -> None:
    verdicts = list(judge_doors(replace(DOORS, **other), Kind.OTHER))

    assert [(one.grade, one.code) for one in verdicts] == [(Grade.UNSEEN, "logins")]


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (Wire(encrypted=False, loopback=False), [(Grade.MONEY, "tls")]),
        (Wire(encrypted=False, loopback=True), []),
        (replace(WIRE, expires=10 * 86_400), [(Grade.SIGNALS, "certificate")]),
        (replace(WIRE, old=True), [(Grade.TROUBLE, "old-tls")]),
    ],
)
def test_what_others_can_read_and_what_ends_is_found(wire: Wire, expected: list[tuple[Grade, str]]) -> None:
    assert found(judge_wire(wire, Kind.MOSQUITTO, now=0)) == expected


def test_the_gravest_comes_first_and_the_order_stays_otherwise() -> None:
    given = [
        sound("a", ""), Verdict(Grade.SIGNALS, "b", ""), unseen("c", ""), Verdict(Grade.MONEY, "d", ""),
        Verdict(Grade.SIGNALS, "e", ""),
    ]  # fmt: skip

    assert [verdict.code for verdict in report(given).verdicts] == ["d", "b", "e", "c", "a"]


def test_a_cure_names_the_file_of_the_broker_and_both_where_it_is_not_known() -> None:
    assert cure("queue", Kind.MOSQUITTO) == "mosquitto.conf: max_queued_messages 100000"
    assert cure("queue", Kind.EMQX) == "EMQX: mqtt.max_mqueue_len = 10000"
    assert cure("queue", Kind.OTHER) == "Mosquitto: max_queued_messages 100000; EMQX: mqtt.max_mqueue_len = 10000"
