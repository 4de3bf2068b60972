"""A webhook reaches a strategy of the real Hummingbot, and the life of the signal tells what became of it there."""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.docs.markdown import ROOT
from tests.e2e.deployment import Deployment, until
from tests.e2e.test_alert_to_callback import alert
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.conftest import BOT, HERE, STARTS_WITHIN, MakeHome
from tests.interop.hummingbot.home import EXCHANGE, Home

pytestmark = pytest.mark.more

EXAMPLES = ROOT / "examples" / "hummingbot"


@dataclass(frozen=True)
class Trading:
    """A gateway, a broker and a Hummingbot that is not started yet."""

    deployment: Deployment
    home: Home
    bots: list[Hummingbot]

    def start(self, strategy: str, *, plugin: str = "path") -> Hummingbot:
        """Start it with a strategy, and return when the gateway knows that it listens."""
        bot = Hummingbot(self.home, strategy=strategy, plugin=plugin)
        self.bots.append(bot)
        bot.start()
        self.listens(bot)
        return bot

    def listens(self, bot: Hummingbot) -> None:
        def shown() -> bool:
            assert bot.runs, tail(bot)
            (known,) = (each for each in self.deployment.api("bots")["bots"] if each["name"] == BOT)
            return bool(known["online"] and known["subscriptions"])

        until(shown, within=STARTS_WITHIN)

    def post(self, **alerted: Any) -> str:
        """Post an alert of TradingView; the signal's id."""
        status, answer = self.deployment.post("tradingview", alert("BTC", **alerted))
        assert status == 202, answer
        return answer["id"]

    def told(self, id_: str, stage: str, *, within: float = 20.0) -> dict[str, Any]:
        """The receipt that says a stage, once it is there."""

        def receipt() -> dict[str, Any] | None:
            receipts = self.deployment.api(f"signals/{id_}")["receipts"]
            return next((each for each in receipts if each["stage"] == stage), None)

        return until(receipt, within=within)

    def stages(self, id_: str) -> list[str]:
        return [receipt["stage"] for receipt in self.deployment.api(f"signals/{id_}")["receipts"]]

    def seen(self, key: str) -> list[Any]:
        """What signal_script wrote down under a key."""
        record = self.home.folder / "data" / "signals.jsonl"
        lines = record.read_text().splitlines() if record.exists() else []
        return [entry[key] for entry in map(json.loads, lines) if key in entry]


@pytest.fixture
def trading(make_home: MakeHome, tmp_path: Path) -> Iterator[Callable[..., Trading]]:
    bots: list[Hummingbot] = []
    deployments: list[Deployment] = []

    def make(*, external: bool) -> Trading:
        source = {"bots": [BOT], "ttl": {"open": "120s"}}
        deployment = Deployment(tmp_path, sources={"tradingview": source}, external=external)
        deployments.append(deployment)
        deployment.start()
        deployment.add_bot(BOT)
        login = dict(line.split("=", 1) for line in (tmp_path / f"{BOT}.env").read_text().splitlines() if "=" in line)
        home = make_home(tmp_path / "home")
        names = {"mqtt_username": "SIGNAL_GATEWAY_MQTT_USERNAME", "mqtt_password": "SIGNAL_GATEWAY_MQTT_PASSWORD"}
        bridge = {key: login[name] for key, name in names.items()}
        home.configure(BOT, deployment.broker_port, mqtt_bridge=bridge)
        return Trading(deployment, home, bots)

    yield make
    for bot in bots:
        bot.kill()
    for deployment in deployments:
        deployment.close()


@pytest.mark.parametrize("external", [True, False], ids=["mosquitto", "embedded"])
def test_an_alert_becomes_an_order_and_its_life_tells_which_and_that_it_is_filled(
    trading: Callable[..., Trading], external: bool
) -> None:
    """The example script buys on an entry and sells on the exit; the ids are those of the exchange's orders."""
    made = trading(external=external)
    script = EXAMPLES / "scripts" / "tradingview_directional.py"
    bot = made.start(made.home.script(script, exchange=EXCHANGE, amount="0.1", most="0.4"))

    entry = made.post(contracts="0.5")
    filled = made.told(entry, "filled")
    (bought,) = made.home.exchange.orders()
    assert filled["order_ids"] == [bought["client_id"]], tail(bot)
    assert filled["reason"] == "bought 0.4 BTC-USDT at 100.1"

    exit_ = made.post(action="sell", market_position="flat", prev_market_position="long", contracts="0.5")
    filled = made.told(exit_, "filled")
    sold = made.home.exchange.orders()[1]
    assert (filled["order_ids"], filled["reason"]) == ([sold["client_id"]], "sold 0.4 BTC-USDT at 99.9")
    assert made.home.exchange.balances()["BTC"] == Decimal(10)
    for id_, order in ((entry, bought), (exit_, sold)):
        handled = made.told(id_, "handled")
        assert handled["handler"] == "TradingViewDirectional.on_trade"
        assert handled["order_ids"] == [order["client_id"]]
        assert handled["received_at"] <= handled["started_at"] <= handled["at"]
    assert [delivery["station"] for delivery in made.deployment.api(f"signals/{entry}")["deliveries"]] == ["receipted"]

    nothing = made.post(action="sell", market_position="flat", prev_market_position="long")
    assert "nothing to sell" in made.told(nothing, "failed")["reason"]
