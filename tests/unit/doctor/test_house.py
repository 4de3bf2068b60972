"""The gateway's own house, and the configuration of a Mosquitto that can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config.settings import Address, HttpSettings
from gateway.doctor.house import House, judge_clocks, judge_house
from gateway.doctor.mosquitto import judge_lines, judge_store, read_lines, speaks_at
from gateway.doctor.seen import Kind
from gateway.doctor.verdict import Grade
from gateway.mqtt import LinkSettings

MIB = 1_048_576
HOUSE = House(
    open_secrets=(), outdated=(), free=100 * MIB, used=MIB, budget=50 * MIB, journal="/d/journal.db", synchronised=True
)
HTTP = HttpSettings(public=Address("127.0.0.1", 8080), private=Address("127.0.0.1", 8081))


def test_a_tidy_house_has_nothing_to_mend() -> None:
    assert [verdict.grade for verdict in judge_house(HOUSE, HTTP)] == [Grade.SOUND]


def test_an_open_secret_is_about_money_with_the_command_that_closes_it() -> None:
    (verdict,) = judge_house(replace(HOUSE, open_secrets=("/d/s: others can read it: chmod 600 /d/s",)), HTTP)

    assert (verdict.grade, verdict.says, verdict.cure) == (
        Grade.MONEY, "/d/s: others can read it", "chmod 600 /d/s",
    )  # fmt: skip


def test_mosquittos_files_of_an_older_version_are_told() -> None:
    problem = "/etc/acl: is older than this version: run signal-gateway init, then reload: systemctl reload mosquitto"
    (verdict,) = judge_house(replace(HOUSE, outdated=(problem,)), HTTP)

    assert verdict.code == "outdated"
    assert verdict.says == "/etc/acl is older than this version"
    assert verdict.cure.startswith("run signal-gateway init")


def test_a_disk_without_room_for_the_journal_is_told_with_what_is_missing() -> None:
    (verdict,) = judge_house(replace(HOUSE, free=9 * MIB), HTTP)

    assert verdict.code == "disk"
    assert "9 MiB left; the journal may need 40 MiB more" in verdict.says


def test_a_public_listener_of_all_the_world_needs_a_proxy() -> None:
    http = replace(HTTP, public=Address("0.0.0.0", 8080))

    assert [verdict.code for verdict in judge_house(HOUSE, http) if verdict.grade is Grade.MONEY] == ["listener"]


def test_a_clock_that_nobody_sets_is_told_and_so_is_a_bots() -> None:
    bots = [{"name": "one", "clock": {"problem": "clock is 5.0 s behind"}}, {"name": "two", "clock": {"problem": None}}]
    verdicts = list(judge_clocks(bots=bots, synchronised=False))

    assert [(verdict.grade, verdict.code) for verdict in verdicts] == [
        (Grade.SIGNALS, "clock"),
        (Grade.SIGNALS, "bot-clocks"),
    ]
    assert verdicts[1].says == "bot one: its clock is 5.0 s behind"


def test_clocks_that_cannot_be_seen_are_not_said_to_be_right() -> None:
    assert [verdict.grade for verdict in judge_clocks(bots=None, synchronised=None)] == [Grade.UNSEEN, Grade.UNSEEN]


def test_a_bot_whose_clock_is_not_known_is_not_counted_as_right() -> None:
    bots = [{"name": "one", "clock": {"offset_seconds": 0.1, "problem": ""}}, {"name": "two", "clock": {"problem": ""}}]
    (verdict,) = judge_clocks(bots=bots, synchronised=True)

    assert verdict.says.endswith("(of 2, 1 known)")


def write(folder: Path, text: str, *, name: str = "mosquitto.conf") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected", "cure"),
    [
        ("", "persistence", "mosquitto.conf: persistence true"),
        ("persistence false\n", "persistence", "mosquitto.conf:1: persistence true"),
        ("persistence true\n", "autosave", "mosquitto.conf: autosave_interval 1"),
        ("# a\npersistence true\nautosave_interval 300\n", "autosave", "mosquitto.conf:3: autosave_interval 1"),
        ("persistence true\nautosave_interval 0\n", "autosave", "mosquitto.conf:2: autosave_interval 1"),
        ("persistence true\nautosave_interval x\n", "autosave", "mosquitto.conf:2: autosave_interval 1"),
        ("persistence true\nautosave_on_changes true\n", "autosave", "mosquitto.conf: autosave_interval 1"),
        (
            "persistence 1\nautosave_interval 60\nautosave_on_changes 1\n",
            "autosave",
            "mosquitto.conf:2: autosave_interval 1",
        ),
    ],
)
def test_a_store_that_a_restart_or_crash_loses_is_told_with_its_line(
    tmp_path: Path, text: str, expected: str, cure: str
) -> None:
    path = write(tmp_path, text)
    (verdict,) = judge_lines(read_lines(path), path=path)

    assert verdict.code == expected
    assert cure in verdict.cure


@pytest.mark.parametrize("line", ["autosave_interval 60", "autosave_on_changes true\nautosave_interval 1"])
def test_a_store_that_is_written_often_is_well(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, f"persistence true\n{line}\n")

    assert [verdict.grade for verdict in judge_lines(read_lines(path), path=path)] == [Grade.SOUND]


def test_included_files_count_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    write(tmp_path / "conf.d", "persistence true\nautosave_interval 1\nlistener 1884 127.0.0.1\n", name="a.conf")
    write(tmp_path / "conf.d", "persistence false\n", name="ignored.txt")
    write(tmp_path / "conf.d", f"include_dir {tmp_path}/conf.d\n", name="itself.conf")
    path = write(tmp_path, f"persistence false\ninclude_dir {tmp_path}/conf.d\n")
    lines = read_lines(path)

    assert [verdict.grade for verdict in judge_lines(lines, path=path)] == [Grade.SOUND]
    assert speaks_at(lines, 1884)
    assert not speaks_at(lines, 1883)


def test_without_a_listener_it_is_the_default_port() -> None:
    assert speaks_at([], 1883)
    assert not speaks_at([], 1884)


def test_a_mosquitto_on_this_machine_says_nothing_of_an_emqx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.doctor.mosquitto.DEFAULT", write(tmp_path, "persistence true\nautosave_interval 1\n"))
    link = LinkSettings(host="127.0.0.1", client_id="c")

    assert [verdict.grade for verdict in judge_store(link, Kind.EMQX, None)] == [Grade.UNSEEN]
    assert [verdict.grade for verdict in judge_store(link, Kind.MOSQUITTO, None)] == [Grade.SOUND]


def test_what_a_broker_elsewhere_keeps_is_not_said_to_be_well() -> None:
    elsewhere = LinkSettings(host="192.0.2.1", client_id="c")

    assert [verdict.grade for verdict in judge_store(elsewhere, Kind.OTHER, None)] == [Grade.UNSEEN]
