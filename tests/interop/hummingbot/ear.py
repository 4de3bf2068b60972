"""Everything that is said on a broker, as a program hears it that is not ours; and a word from outside."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from tests.brokers import Mosquitto, require

_PACKAGE = "mosquitto-clients"


class Ear:
    """mosquitto_sub on all topics.

    Args:
        broker: it lets in anybody.
    """

    def __init__(self, broker: Mosquitto) -> None:
        self._where = ["-h", broker.host, "-p", str(broker.port)]
        self._lines: list[tuple[float, str, str]] = []
        command = [require("mosquitto_sub", package=_PACKAGE), *self._where, "-t", "#", "-F", "%t\t%p", "-R"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        while not self._lines:
            self.publish("probe", {})
            time.sleep(0.05)

    def publish(self, topic: str, document: dict[str, Any]) -> None:
        """Say something."""
        program = require("mosquitto_pub", package=_PACKAGE)
        subprocess.run([program, *self._where, "-t", topic, "-m", json.dumps(document)], check=True, timeout=20)

    def on(self, topic: str, *, since: float = 0) -> list[Any]:
        """The documents on a topic, in order; with ``since``, from that time on (``time.monotonic``)."""
        return [json.loads(payload) for at, where, payload in list(self._lines) if where == topic and at >= since]

    def times(self, topic: str) -> list[float]:
        """When each document on a topic came (``time.monotonic``)."""
        return [at for at, where, _ in list(self._lines) if where == topic]

    def below(self, prefix: str) -> list[Any]:
        """The documents on all topics that begin so."""
        return [json.loads(payload) for _, where, payload in list(self._lines) if where.startswith(prefix)]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            topic, payload = line.rstrip("\n").split("\t", 1)
            self._lines.append((time.monotonic(), topic, payload))


def connections(broker: Mosquitto) -> list[str]:
    """What a Mosquitto has written down of connections that came and went."""
    words = ("New client connected", "disconnected", "closing old connection", "closed its connection")
    return [line for line in Path(broker.log).read_text().splitlines() if any(word in line for word in words)]
