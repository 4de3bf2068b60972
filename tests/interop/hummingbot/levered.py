"""A Hummingbot with levers, whose every word is heard."""

from __future__ import annotations

import json
import shlex
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bot_plugin.client import SyncBotClient
from tests.brokers import Mosquitto
from tests.e2e.deployment import until
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.conftest import BOT, HERE, settings_of
from tests.interop.hummingbot.ear import Ear
from tests.interop.hummingbot.home import Home

SCRIPT = HERE / "lever_script.py"
AUTO = "import bot_plugin.hummingbot.auto  # noqa: F401\n"
TOPIC = f"hbot/{BOT}"


class Levered:
    """The bot, an ear on its broker, and a client.

    Args:
        home: where it lives; configured.
        plugin: how the plugin comes into it, as ``Hummingbot`` says; ``auto`` for one line in its script.
    """

    def __init__(self, home: Home, broker: Mosquitto, *, plugin: str) -> None:
        self.home, self.broker = home, broker
        script = SCRIPT
        if plugin == "auto":
            script = home.folder / SCRIPT.name
            text = SCRIPT.read_text()
            script.write_text(text.replace("import asyncio\n", f"import asyncio\n{AUTO}", 1))
        self.conf = home.script(script)
        self.bot = Hummingbot(home, strategy=self.conf, plugin="path" if plugin == "auto" else plugin)
        self.ear = Ear(broker)
        self._open = ExitStack()
        self.client = self._open.enter_context(SyncBotClient(settings_of(broker)))

    def start(self) -> None:
        """Start it, and return when it may trade and answers."""
        self.bot.start()
        self.until_ready()
        until(lambda: self.client.status(BOT, within=2).ok, within=20)

    def until_ready(self) -> None:
        try:
            until(lambda: self._port.exists() and self.pull("ready") is True, within=60)
        except AssertionError:
            raise AssertionError(tail(self.bot)) from None

    def close(self) -> None:
        self.bot.kill()
        self._open.close()
        self.ear.close()

    def pull(self, *words: str) -> Any:
        """Have something done inside the application; what it answers."""
        with closing(socket.create_connection(("127.0.0.1", int(self._port.read_text())), timeout=30)) as connection:
            connection.sendall(f"{shlex.join(words)}\n".encode())
            return json.loads(connection.makefile().read())

    def logged(self, text: str) -> int:
        """How often a log line was told."""
        return sum(line["msg"] == text for line in self.ear.on(f"{TOPIC}/log"))

    def notified(self, text: str) -> int:
        """How often a notification was told."""
        return sum(line["msg"] == text for line in self.ear.on(f"{TOPIC}/notify"))

    def events(self, order: str) -> list[dict[str, Any]]:
        """What was told of an order."""
        return [event for event in self.ear.on(f"{TOPIC}/events") if event["data"].get("order_id") == order]

    def figures(self) -> dict[str, Any]:
        """The latest figures of the script."""
        told = [one["lever_script"] for one in self.ear.on(f"{TOPIC}/performance") if "lever_script" in one]
        return told[-1] if told else {}

    @property
    def _port(self) -> Path:
        return self.home.folder / "data" / "levers.port"


def settled(seconds: float = 1.5) -> None:
    """Let what would be told a second time be told."""
    time.sleep(seconds)
