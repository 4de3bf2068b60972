"""Bots of both kinds on one broker behind one gateway: stock Hummingbots, and Hummingbots with the plugin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.deployment import Deployment, until
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.home import Home

HERE = Path(__file__).parent
STOCK, PLUGIN = ("stock1", "stock2"), ("plugin1", "plugin2")
ASKS = {"stock1": "101", "stock2": "102", "plugin1": "103", "plugin2": "104"}
"""What a BTC costs on each bot's exchange: so it is known whose trade it was."""
SOURCE = {"hummingbot": {"bots": list(STOCK), "event": "order.market"}, "bots": list(PLUGIN)}


class Fleet:
    """Two bots of each kind, whose strategies trade what they are told, each on an exchange of its own."""

    def __init__(self, folder: Path, make_home: Callable[[Path], Home], *, external: bool) -> None:
        sources = {"hb": SOURCE, "brief": SOURCE | {"ttl": {"open": "10s"}}}
        self.deployment = Deployment(folder, sources=sources, external=external)
        self.bots: dict[str, Hummingbot] = {}
        self._folder, self._make_home = folder, make_home

    def start(self) -> None:
        """Start everything, and return when every strategy may trade and the gateway has heard every bot."""
        self.deployment.start()
        for name in (*STOCK, *PLUGIN):
            self._start(name)
        for bot in self.bots.values():
            until(bot.trades, within=60)
        until(lambda: {self.shown(name)["state"] for name in (*STOCK, *PLUGIN)} == {"alive"})
        until(lambda: {self.shown(name)["profile"] for name in PLUGIN} == {"plugin"})

    def _start(self, name: str) -> None:
        self.deployment.add_bot(name)
        login = self.deployment.login(name)
        home = self._make_home(self._folder / name)
        home.exchange.price("BTC-USDT", bid="99", ask=ASKS[name])
        bridge = {"mqtt_username": name, "mqtt_password": login["SIGNAL_GATEWAY_MQTT_PASSWORD"]}
        home.configure(name, self.deployment.broker_port, mqtt_bridge=bridge)
        script = "trading_script" if name in STOCK else "signal_script"
        strategy = home.script(HERE / f"{script}.py")
        self.bots[name] = Hummingbot(home, strategy=strategy, plugin="attach" if name in PLUGIN else "")
        self.bots[name].start()

    def close(self) -> None:
        for bot in self.bots.values():
            bot.kill()
        self.deployment.close()

    def post(self, source: str, body: bytes) -> str:
        """Post an alert; the id of its signal."""
        status, answer = self.deployment.post(source, body)
        assert status == 202, answer
        return answer["id"]

    def shown(self, name: str) -> dict[str, Any]:
        """What the gateway knows of a bot."""
        return self.deployment.api(f"bots/{name}")

    def events(self, name: str) -> list[dict[str, Any]]:
        """What a stock bot's strategy heard, in order."""
        return [line for line in self._lines(name, "events") if "event" in line]

    def signals(self, name: str) -> list[str]:
        """The ids of what a strategy was told: as external events, or as signals of the plugin."""
        if name in STOCK:
            return [event["data"]["id"] for event in self.events(name)]
        return [line["id"] for line in self._lines(name, "signals")]

    def _lines(self, name: str, record: str) -> list[dict[str, Any]]:
        path = self.bots[name].home.folder / "data" / f"{record}.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def said(self) -> str:
        """The ends of all logs, for a message of a test that failed."""
        return "\n\n".join(f"{name}\n{tail(bot, lines=30)}" for name, bot in self.bots.items())
