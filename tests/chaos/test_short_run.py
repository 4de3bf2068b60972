"""The short run: every promise holds while everything breaks."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.chaos import report
from tests.chaos.alerts import BOTS
from tests.chaos.run import Plan, carry_out

pytestmark = [pytest.mark.more, pytest.mark.timeout(600)]

SEED = int(os.environ.get("SEED", "1"))
SIGNALS = int(os.environ.get("SIGNALS", "20000"))
KILLS = int(os.environ.get("KILLS", "10"))


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
def test_a_run_in_which_nothing_breaks_finds_nothing_and_counts_everything_as_handled(broker, tmp_path):
    plan = Plan(seed=SEED, signals=1000, kills=0, external=broker == "mosquitto")

    run = asyncio.run(carry_out(plan, folder=tmp_path))

    assert run.verdict.findings == ()
    assert {bot: tally.ends for bot, tally in run.verdict.tallies.items()} == {bot: {"handled": 1000} for bot in BOTS}


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
def test_what_was_answered_ends_once_in_order_in_time_and_explained_while_everything_is_killed(broker, tmp_path):
    plan = Plan(seed=SEED, signals=SIGNALS, kills=KILLS, external=broker == "mosquitto")

    run = asyncio.run(carry_out(plan, folder=tmp_path))

    print(report.text(run))
    report.write(run, tmp_path / "report.json")
    assert {watched.kills for watched in run.world.watched.values()} == {KILLS}
    assert not run.verdict.findings, f"{report.figures(run)['wrong']}: everything is in {tmp_path}"
