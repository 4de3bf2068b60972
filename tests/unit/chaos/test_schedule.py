"""The faults of a run: reproducible, complete, and apart from each other."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import pytest

from tests.chaos.alerts import PERISHABLE, alert, sources
from tests.chaos.schedule import ABSENCE, RECOVERY, Fault, Kind, Targets, ends, schedule

TARGETS = Targets(
    servers=("gateway", "broker"),
    bots=("bot-a", "bot-b"),
    links=("gateway", "bot-a", "bot-b"),
    disks=("gateway", "bot-a"),
)
PROCESSES = {Kind.KILL, Kind.PAUSE}


def line(fault: Fault) -> tuple[str, str]:
    return fault.target, "process" if fault.kind in PROCESSES else "disk" if fault.kind is Kind.FULL else "link"


def test_the_same_seed_gives_the_same_faults_and_another_seed_others():
    assert schedule(7, kills=10, targets=TARGETS) == schedule(7, kills=10, targets=TARGETS)
    assert schedule(7, kills=10, targets=TARGETS) != schedule(8, kills=10, targets=TARGETS)


@pytest.mark.parametrize("kills", [1, 10, 200])
def test_every_process_is_killed_as_often_as_asked_and_everything_else_happens_too(kills):
    faults = schedule(7, kills=kills, targets=TARGETS)
    killed = Counter(fault.target for fault in faults if fault.kind is Kind.KILL)

    assert killed == dict.fromkeys(("gateway", "broker", "bot-a", "bot-b"), kills)
    assert {line(fault) for fault in faults if fault.kind is Kind.FULL} == {("gateway", "disk"), ("bot-a", "disk")}
    assert {fault.kind for fault in faults} >= {Kind.KILL, Kind.PAUSE, Kind.RESET, Kind.FULL}


def test_without_kills_nothing_breaks():
    assert schedule(7, kills=0, targets=TARGETS) == ()
    assert ends(()) == 0


@pytest.mark.parametrize("seed", range(20))
def test_faults_of_one_target_leave_it_time_to_recover(seed):
    lines = defaultdict(list)
    for fault in schedule(seed, kills=10, targets=TARGETS):
        lines[line(fault)].append(fault)

    for faults in lines.values():
        for before, after in itertools.pairwise(faults):
            assert after.at - (before.at + before.lasts) >= RECOVERY - 0.01


def test_a_bot_is_away_for_longer_than_perishable_signals_live_and_shorter_than_the_others():
    faults = schedule(7, kills=10, targets=TARGETS)
    longest = {bot: max(f.lasts for f in faults if f.target == bot and f.kind is Kind.KILL) for bot in TARGETS.bots}
    lives = {source: settings["ttl"]["open"] for source, settings in sources().items()}

    assert all(ABSENCE[0] <= seconds <= ABSENCE[1] for seconds in longest.values())
    assert {lives[source] for source in PERISHABLE} == {"20s", "30s"}
    assert {life for source, life in lives.items() if source not in PERISHABLE} == {"10m"}


def test_ten_kills_take_two_minutes_and_two_hundred_forty_minutes_at_most():
    assert ends(schedule(7, kills=10, targets=TARGETS)) < 130
    assert ends(schedule(7, kills=200, targets=TARGETS)) < 2400


def test_alerts_are_all_different_and_go_round_five_sources_and_fifty_keys():
    alerts = [alert(number) for number in range(1000)]

    assert len({one.body for one in alerts}) == 1000
    assert Counter(one.source for one in alerts) == dict.fromkeys(sources(), 200)
    assert set(Counter(one.key for one in alerts).values()) == {20}
