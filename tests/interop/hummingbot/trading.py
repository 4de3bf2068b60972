"""A gateway with its broker, and a Hummingbot that gets its signals: what a test asks of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.deployment import Deployment, until
from tests.e2e.test_alert_to_callback import alert
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.conftest import BOT, STARTS_WITHIN
from tests.interop.hummingbot.home import Home


@contextmanager
def open_deployment(folder: Path, sources: dict[str, Any]) -> Iterator[Deployment]:
    """A gateway and a Mosquitto that a stock bot reaches without a login."""
    made = Deployment(folder, sources=sources, external=True, mosquitto={"anonymous": True})
    acl = folder / "mosquitto" / "acl"
    acl.write_text("topic readwrite hbot/#\n" + acl.read_text())  # before the first user: for those without a login
    made.start()
    yield made
    made.close()


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

    def command(self, name: str, *arguments: str) -> dict[str, Any]:
        """Command the bot, as an operator does; what it answered."""
        return self.deployment.cli("bots", name, BOT, *arguments, "--json")

    def told(self, id_: str, stage: str, *, within: float = 20.0) -> dict[str, Any]:
        """The receipt that says a stage, once it is there."""

        def receipt() -> dict[str, Any] | None:
            receipts = self.deployment.api(f"signals/{id_}")["receipts"]
            return next((each for each in receipts if each["stage"] == stage), None)

        return until(receipt, within=within)

    def logs(self) -> str:
        return "".join(path.read_text() for path in (self.home.folder / "logs").iterdir())

    def stages(self, id_: str) -> list[str]:
        return [receipt["stage"] for receipt in self.deployment.api(f"signals/{id_}")["receipts"]]

    def seen(self, key: str) -> list[Any]:
        """What diary_script wrote down under a key."""
        record = self.home.folder / "data" / "signals.jsonl"
        lines = record.read_text().splitlines() if record.exists() else []
        return [entry[key] for entry in map(json.loads, lines) if key in entry]
