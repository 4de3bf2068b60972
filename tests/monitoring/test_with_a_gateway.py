"""What rules and dashboard ask for is what a real gateway says, and a real Prometheus answers with data."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.deployment import Deployment, until
from tests.monitoring.files import panels, queries, rules
from tests.monitoring.prometheus import Prometheus
from tests.monitoring.promql import read

pytestmark = pytest.mark.more

SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds."""

WITHOUT_DATA = {"Certificate ends in", "Clocks"}
"""Panels that have none here: the broker has no TLS, and a clock is known after some minutes."""

SOURCES: dict[str, Any] = {
    "tv": {"expect_every": "1s"},
    "model": {
        "type": "prediction",
        "models": ["m1"],
        "interval": "5m",
        "hummingbot": {"ml_signals": True},
    },
}


class Scene:
    """A gateway after some traffic, and a Prometheus that saw it."""

    def __init__(self, deployment: Deployment, prometheus: Prometheus) -> None:
        self.deployment, self.prometheus = deployment, prometheus

    def metrics(self) -> dict[str, set[str]]:
        """By the name of a sample: the labels of all of them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.deployment.private}/metrics", timeout=10) as response:
            text = response.read().decode()
        found: dict[str, set[str]] = defaultdict(set)
        for family in text_string_to_metric_families(text):
            found[family.name + ("_total" if family.type == "counter" else "")].update(())
            for sample in family.samples:
                found[sample.name].update(sample.labels)
        return dict(found)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("monitoring")
    deployment = Deployment(folder, sources=SOURCES, external=False)
    prometheus = None
    try:
        deployment.start()
        prometheus = Prometheus(folder, target=deployment.private)
        bot = deployment.start_bot("bot-a")
        for _ in range(4):
            traffic(deployment)
            until_scraped(prometheus)
        until(bot.handled)
        until_scraped(prometheus)
        yield Scene(deployment, prometheus)
    finally:
        if prometheus is not None:
            prometheus.close()
        deployment.close()


def traffic(deployment: Deployment) -> None:
    """A little of everything."""
    alert = {
        "ticker": "BINANCE:BTCUSDT",
        "action": "buy",
        "contracts": "0.1",
        "price": str(datetime.now(UTC).timestamp()),
    }
    for body in (json.dumps(alert), json.dumps(alert), "{"):
        deployment.post("tv", body)
    deployment.cli("send", "model", "-", "--json", stdin=json.dumps(prediction()).encode())
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://127.0.0.1:{deployment.public}/hooks/tv/sg_wrong", b"{}", timeout=10)
    deployment.cli("bots", "command", "bot-a", "nothing", "--timeout", "1", "--json", code=1)


def prediction() -> dict[str, Any]:
    """What a model says."""
    until_then = datetime.now(UTC) + timedelta(minutes=5)
    return {
        "model": "m1",
        "instrument": "BTC-USDT",
        "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7},
        "valid_until": until_then.isoformat(),
    }


def until_scraped(prometheus: Prometheus) -> None:
    """Wait until Prometheus has seen what is so now."""
    now = datetime.now(UTC).timestamp()
    until(lambda: any(float(found["value"][1]) > now for found in prometheus.query("timestamp(up)")))


def test_the_gateway_has_every_metric_and_label_that_is_asked_for(scene: Scene) -> None:
    metrics = scene.metrics()
    for name, query, shown in queries():
        found = read(query)
        labels = set().union(*(metrics[selector.metric] for selector in found.selectors)) | SCRAPED
        for selector in found.selectors:
            assert selector.metric in metrics, name
            assert selector.labels <= metrics[selector.metric] | SCRAPED, (name, selector)
        assert found.grouped - {"le"} <= labels, name
        named = re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", shown)
        assert set(named) <= labels, name


def test_prometheus_reads_every_query_of_the_dashboard(scene: Scene) -> None:
    for _, query, _ in queries():
        scene.prometheus.query(query)


@pytest.mark.parametrize("title", sorted({panel["title"] for panel in panels()} - WITHOUT_DATA))
def test_a_panel_has_data_after_a_little_of_everything(title: str, scene: Scene) -> None:
    asked = [query for name, query, _ in queries() if name == title]
    assert any(scene.prometheus.query(query) for query in asked), asked


def test_prometheus_evaluates_every_rule_without_an_error(scene: Scene) -> None:
    until(lambda: scene.prometheus.rules().keys() == rules().keys())
    until_scraped(scene.prometheus)
    assert set(scene.prometheus.rules().values()) == {""}


def test_a_source_from_which_nothing_comes_raises_its_alert_in_words(scene: Scene) -> None:
    until(lambda: "SignalGatewaySourceSilent" in scene.prometheus.alerts())
    alert = scene.prometheus.alerts()["SignalGatewaySourceSilent"]
    assert alert["annotations"]["summary"] == "Nothing comes from source tv"
    assert "SignalGatewayDown" not in scene.prometheus.alerts()
