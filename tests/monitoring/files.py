"""What the chart's folder has for Prometheus and Grafana, read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "signal-gateway" / "files" / "rules.yaml"
DASHBOARD = ROOT / "helm" / "signal-gateway" / "files" / "dashboard.json"

VARIABLES = {"$__rate_interval": "1m", "$__range": "1h", "$instance": ".*", "$source": ".*"}
"""What Grafana puts in the place of its variables."""


def rules() -> dict[str, dict[str, Any]]:
    """The alerts by their names."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    """The dashboard."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def panels() -> list[dict[str, Any]]:
    """The panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def filled_in(text: str) -> str:
    """A query as Grafana sends it."""
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    return text


def queries() -> Iterator[tuple[str, str, str]]:
    """Of every alert and panel: its name, its query, and the text that shows labels of what comes back."""
    for name, rule in rules().items():
        yield name, rule["expr"], " ".join(rule["annotations"].values())
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], filled_in(target["expr"]), target["legendFormat"]
    for annotation in dashboard()["annotations"]["list"]:
        yield annotation["name"], filled_in(annotation["expr"]), annotation["textFormat"]
