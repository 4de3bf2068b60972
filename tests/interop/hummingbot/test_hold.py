"""What waits for a real Hummingbot reaches its strategy: also what goes as soon as the bot is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployment import Deployment, until
from tests.e2e.test_alert_to_callback import alert
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.conftest import BOT, HERE, STARTS_WITHIN, MakeHome
from tests.interop.hummingbot.trading import open_deployment

pytestmark = pytest.mark.more


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    source = {"hummingbot": {"bots": [BOT], "event": "order.market"}}
    with open_deployment(tmp_path, {"hb": source}) as made:
        yield made


@pytest.fixture
def bot(make_home: MakeHome, deployment: Deployment, tmp_path: Path) -> Iterator[Hummingbot]:
    """With a strategy that starts when it is connected; not started yet."""
    home = make_home(tmp_path / "home")
    home.configure(BOT, deployment.broker_port)
    bot = Hummingbot(home, strategy=home.script(HERE / "recording_script.py"))
    yield bot
    bot.kill()


def test_signals_that_wait_for_a_bot_that_starts_reach_its_strategy_once_and_exits_first(
    deployment: Deployment, bot: Hummingbot, tmp_path: Path
) -> None:
    """Its first heartbeat comes before its strategy listens: what were sent then would be gone."""
    _, entry = deployment.post("hb", alert("BTC"))
    _, exit_ = deployment.post("hb", alert("ETH", action="sell", market_position="flat", prev_market_position="long"))
    record = tmp_path / "home" / "data" / "events.jsonl"

    def events() -> list[str]:
        lines = record.read_text().splitlines() if record.exists() else []
        return [json.loads(line)["data"]["id"] for line in lines]

    bot.start()
    until(lambda: len(events()) >= 2, within=STARTS_WITHIN)
    _, later = deployment.post("hb", alert("SOL"))
    until(lambda: len(events()) >= 3)

    assert events() == [exit_["id"], entry["id"], later["id"]]
    shown = deployment.api(f"bots/{BOT}")
    assert (shown["state"], shown["profile"]) == ("alive", "hummingbot")
    assert shown["clock"]["heartbeat_ahead_seconds"] == pytest.approx(0.5, abs=0.2)
