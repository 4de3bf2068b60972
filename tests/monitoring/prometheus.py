"""A real Prometheus on loopback that scrapes one gateway and evaluates the rules."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from tests.brokers import free_port, require
from tests.e2e.deployment import until
from tests.monitoring.files import RULES


class Prometheus:
    """One process.

    Args:
        folder: where its files are.
        target: the port of the gateway's private listener.
    """

    def __init__(self, folder: Path, *, target: int) -> None:
        self._folder = folder
        self.port = free_port()
        document = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": "signal-gateway", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
            ],
        }
        configuration = folder / "prometheus.yml"
        configuration.write_text(yaml.safe_dump(document))
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    require("prometheus", package="prometheus"),
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={folder}/tsdb",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )
        until(self._ready)

    def query(self, text: str) -> list[dict[str, Any]]:
        """Ask for something now.

        Raises:
            urllib.error.HTTPError: Prometheus cannot read it.
        """
        data = urllib.parse.urlencode({"query": text}).encode()
        result: list[dict[str, Any]] = self._get("query", data)["data"]["result"]
        return result

    def rules(self) -> dict[str, str]:
        """By alert: what was wrong when it was evaluated last; empty for nothing."""
        groups = self._get("rules")["data"]["groups"]
        return {rule["name"]: rule.get("lastError", "") for group in groups for rule in group["rules"]}

    def alerts(self) -> dict[str, dict[str, Any]]:
        """The alerts that are pending or fire, by name."""
        return {alert["labels"]["alertname"]: alert for alert in self._get("alerts")["data"]["alerts"]}

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=20)

    def _get(self, path: str, data: bytes | None = None) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", data, timeout=10) as response:
            return json.load(response)

    def _ready(self) -> bool:
        assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()[-2000:]
        with suppress(OSError):
            return bool(self.query('up{job="signal-gateway"} == 1'))
        return False
