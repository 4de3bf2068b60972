"""A strategy that is stopped and started by remote command in a bot that goes on: what came meanwhile runs once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deployment import BOT, Bot, Deployment, spawn, until
from tests.e2e.test_alert_to_callback import alert
from tests.e2e.test_bots import receipts

ATTACHING = Path(__file__).with_name("attaching_bot.py")
EXIT = {"action": "sell", "market_position": "flat", "prev_market_position": "long"}


@pytest.fixture
def deployment(deploy: Callable[..., Deployment], *, external: bool) -> Deployment:
    return deploy(sources={"tv": {}, "quick": {"ttl": {"open": "3s"}}}, external=external, bot=ATTACHING)


def command(deployment: Deployment, name: str) -> str:
    """Send a command to the bot as an operator does, and get its words."""
    return str(deployment.cli("bots", name, "one", "--json")["reply"]["msg"])


def start(deployment: Deployment, **options: str) -> Bot:
    """Start the bot's process, and return when it answers commands; nothing is attached."""
    bot = deployment.start_bot("one", **options)
    until(lambda: "status" in commands(deployment))
    return bot


def commands(deployment: Deployment) -> list[str]:
    """What the bot answers now, by what the gateway knows of it."""
    for bot in deployment.api("bots")["bots"]:
        if bot["name"] == "one" and bot["online"]:
            return list(deployment.api("bots/one").get("commands") or ["status"])
    return []


def post(deployment: Deployment, source: str = "tv", **more: object) -> str:
    status, answer = deployment.post(source, alert(**more))
    assert status == 202
    return str(answer["id"])


def stages(deployment: Deployment, id_: str) -> list[str]:
    return [receipt["stage"] for receipt in receipts(deployment, id_, "one")]


def runs(bot: Bot, id_: str) -> int:
    """How often the callback saw a signal."""
    return sum(entry["id"] == id_ for entry in bot.handled())


def station(deployment: Deployment, id_: str) -> str:
    (delivery,) = deployment.api(f"signals/{id_}")["deliveries"]
    return str(delivery["station"])


@pytest.fixture
def beside(deployment: Deployment, request: pytest.FixtureRequest) -> Any:
    """Another bot of the same source, which receipts all: the gateway must not settle without the one that is away."""
    if not getattr(request, "param", False):
        yield None
        return
    deployment.add_bot("two")
    record = deployment.folder / "two.jsonl"
    record.touch()
    process = spawn(
        [sys.executable, str(BOT), str(record)],
        log=deployment.folder / "two.log",
        SIGNAL_GATEWAY_ENV_FILE=str(deployment.folder / "two.env"),
        SIGNAL_GATEWAY_STATE_DIR=str(deployment.folder / "two.state"),
    )
    bot = Bot(record, process, deployment.folder / "two.log")
    until(bot.listening)
    yield bot
    process.kill()
    process.wait()


@pytest.mark.parametrize("beside", [False, True], indirect=True, ids=["alone", "beside another"])
def test_an_exit_that_comes_while_its_strategy_is_stopped_runs_once_when_it_is_started_again(
    deployment: Deployment, beside: Bot | None
) -> None:
    """Commands are answered throughout, the exit is neither lost nor settled, and its life shows the order filled."""
    bot = start(deployment)
    assert command(deployment, "start") == "attached"
    entry = post(deployment)
    until(lambda: stages(deployment, entry)[-1:] == ["filled"])
    assert command(deployment, "stop") == "detached"
    leaving = post(deployment, **EXIT)
    time.sleep(1.5)  # in which it would have run
    assert runs(bot, leaving) == 0
    assert command(deployment, "status") == "nothing is attached"
    assert station(deployment, leaving) != "receipted"

    assert command(deployment, "start") == "attached"
    until(lambda: stages(deployment, leaving)[-1:] == ["filled"])

    assert runs(bot, leaving) == runs(bot, entry) == 1
    until(lambda: station(deployment, leaving) == "receipted")
    handled, filled = receipts(deployment, leaving, "one")[-2:]
    assert (handled["stage"], filled["stage"]) == ("handled", "filled")
    assert handled["order_ids"] == filled["order_ids"] == [f"order-{leaving[:8]}"]
    assert filled["reason"] == "0.5 at 27123.45"
    if beside is not None:
        assert runs(beside, leaving) == 1


@pytest.mark.parametrize("beside", [False, True], indirect=True, ids=["alone", "beside another"])
def test_the_bot_is_killed_while_its_strategy_is_stopped(deployment: Deployment, beside: Bot | None) -> None:
    """An exit that came before the kill, and one after the restart, run once when the strategy is back."""
    bot = start(deployment)
    command(deployment, "start")
    entry = post(deployment)
    until(lambda: runs(bot, entry))
    command(deployment, "stop")
    before = post(deployment, **EXIT)
    time.sleep(0.3)
    bot.process.kill()
    bot.process.wait()
    bot = start(deployment)
    after = post(deployment, **EXIT)
    time.sleep(0.5)
    assert runs(bot, before) == runs(bot, after) == 0

    command(deployment, "start")
    until(lambda: all(stages(deployment, id_)[-1:] == ["filled"] for id_ in (before, after)))

    assert [runs(bot, id_) for id_ in (entry, before, after)] == [1, 1, 1]


def test_the_bot_is_killed_inside_a_callback_and_its_strategy_is_told_when_it_is_back(deployment: Deployment) -> None:
    """What was cut short is not run again; its receipt says so, and names the order that had been placed."""
    bot = start(deployment, SLOW_SECONDS="30")
    command(deployment, "start")
    id_ = post(deployment)
    until(lambda: runs(bot, id_) and stages(deployment, id_))
    time.sleep(0.1)
    bot.process.kill()
    bot.process.wait()
    bot = start(deployment)
    command(deployment, "start")
    until(lambda: stages(deployment, id_)[-1:] == ["interrupted"])

    told = [entry["interrupted"] for entry in bot.entries() if "interrupted" in entry]
    assert told == [id_]
    assert runs(bot, id_) == 1
    assert receipts(deployment, id_, "one")[-1]["order_ids"] == [f"order-{id_[:8]}"]


def test_what_expires_while_its_strategy_is_stopped_is_never_run_and_says_why(deployment: Deployment) -> None:
    """A strategy that is started too late does not see it, and somebody can read what became of it."""
    bot = start(deployment)
    command(deployment, "start")
    entry = post(deployment)
    until(lambda: runs(bot, entry))
    command(deployment, "stop")
    id_ = post(deployment, "quick")
    until(lambda: station(deployment, id_) in {"unheard", "unanswered"}, within=30)
    command(deployment, "start")
    last = post(deployment)
    until(lambda: runs(bot, last))

    assert runs(bot, id_) == 0
    assert deployment.api(f"signals/{id_}")["deliveries"][0]["reason"]
