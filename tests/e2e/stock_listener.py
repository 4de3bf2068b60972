"""A stock Hummingbot bot, as the broker sees it: two programs of Mosquitto with its login, and no memory."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

from tests.brokers import require
from tests.e2e.deployment import Deployment, until

_PACKAGE = "mosquitto-clients"


class StockListener:
    """Listens to its external events with QoS 0 and a clean session, and tells of itself when it is asked to."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self.name = name
        deployment.add_bot(name)
        login = deployment.login(name)
        self._who = ["-h", "127.0.0.1", "-p", str(deployment.broker_port), "-V", "mqttv311", "-u", name]
        self._who += ["-P", login["SIGNAL_GATEWAY_MQTT_PASSWORD"]]
        self._record = deployment.folder / f"{name}.events"
        self._record.touch()
        self._listening: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Connect and subscribe, and tell nothing yet."""
        probe, topic = f"probe {time.monotonic_ns()}", f"hbot/{self.name}/log"
        command = [require("mosquitto_sub", package=_PACKAGE), *self._who, "-F", "%t %p"]
        command += ["-t", f"hbot/{self.name}/external/event/#", "-t", topic]
        command += ["-t", "hbot/predictions/+/ML_SIGNALS"]
        with self._record.open("ab") as output:
            self._listening = subprocess.Popen(command, stdout=output)

        def listening() -> bool:
            self.tell("log", {"msg": probe})
            return probe in self._record.read_text()

        until(listening)

    def stop(self) -> None:
        """Vanish without a word."""
        if self._listening is not None:
            self._listening.kill()
            self._listening.wait()

    def beat(self) -> None:
        """Send one heartbeat."""
        self.tell("hb", {"ts": time.time_ns() // 1000 + 500_000})

    def tell(self, channel: str, document: dict[str, Any]) -> None:
        """Publish on one of its channels, with QoS 0."""
        program = require("mosquitto_pub", package=_PACKAGE)
        command = [program, *self._who, "-t", f"hbot/{self.name}/{channel}", "-m", json.dumps(document)]
        subprocess.run(command, check=True, timeout=20)

    def events(self) -> list[str]:
        """The ids of the signals that it got, in order."""
        lines = [line.split(" ", 1) for line in self._record.read_text().splitlines()]
        return [json.loads(payload)["data"]["id"] for topic, payload in lines if "/external/event/" in topic]

    def ml_signals(self) -> list[list[float]]:
        """The probabilities that it was told, in order."""
        lines = [line.split(" ", 1) for line in self._record.read_text().splitlines()]
        return [json.loads(payload)["probabilities"] for topic, payload in lines if topic.endswith("/ML_SIGNALS")]
