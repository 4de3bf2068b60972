"""Whatever stands in a value is data: no text of it becomes a field of an object, a template or another setting."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from gateway.config.document import read
from tests.helm.engine import (
    CHART,
    MINIMAL,
    Object,
    Refused,
    configuration,
    container,
    merged,
    pod,
    render,
    the,
    values_of,
)

HOSTILE = (
    'x"\nprivileged: true',
    "x'\n---\nkind: Secret",
    "a: b # c",
    "{{ .Release.Name }}",
    '{{ fail "x" }}',
    "- [*anchor, &anchor]",
    "!!python/object:os.system x",
    "  leading and trailing  ",
    "no",
    "0x1F",
    "1e3",
    "|\n  block",
    "\u00e9 \U0001f600",
)
TEXTS = st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" \n"), max_size=40)
"""What YAML can carry unescaped, and so what Helm does not change."""


def shape(objects: list[Object]) -> list[tuple[str, str]]:
    return [(one["kind"], one["metadata"]["name"]) for one in objects]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_text_stays_text(text: str) -> None:
    """Quotes, line ends, YAML and templates in annotations, variables and the configuration arrive as they were."""
    objects = render(
        merged(
            MINIMAL,
            {
                "podAnnotations": {"example.com/a": text},
                "extraEnv": [{"name": "A", "value": text}],
                "config": {"sources": {"tradingview": {"secret_in": {"body": text}}}},
                "broker": {"username": text},
                "service": {"annotations": {"example.com/a": text}},
                "persistence": {"annotations": {"example.com/a": text}},
                "serviceAccount": {"annotations": {"example.com/a": text}},
            },
        )
    )
    (claim,) = the(objects, "StatefulSet")["spec"]["volumeClaimTemplates"]

    assert shape(objects) == shape(render(MINIMAL))
    assert pod(objects)["metadata"]["annotations"]["example.com/a"] == text
    assert container(objects)["env"][-1] == {"name": "A", "value": text}
    assert configuration(objects)["sources"]["tradingview"]["secret_in"]["body"] == text
    assert configuration(objects)["broker"]["username"] == text
    assert the(objects, "Service", "r-signal-gateway")["metadata"]["annotations"]["example.com/a"] == text
    assert claim["metadata"]["annotations"]["example.com/a"] == text
    assert the(objects, "ServiceAccount")["metadata"]["annotations"]["example.com/a"] == text
    assert "privileged" not in container(objects)["securityContext"]


@settings(max_examples=15)
@given(st.dictionaries(TEXTS, TEXTS, max_size=4))
def test_any_configuration_arrives_as_it_was(tree: dict[str, str]) -> None:
    """A tree of any names and texts below config is the same tree in signal-gateway.yml."""
    chart = the(render(merged(MINIMAL, {"config": {"sources": {"hostile": tree}}})), "ConfigMap")
    read_by_the_gateway = read(chart["data"]["signal-gateway.yml"], file="signal-gateway.yml")

    assert read_by_the_gateway.problems == []
    assert read_by_the_gateway.data["sources"]["hostile"] == tree


NAMES = (
    *("nameOverride", "fullnameOverride", "image.repository", "image.tag", "image.digest", "publicUrl", "listen"),
    *("broker.host", "broker.existingSecret", "broker.passwordKey", "broker.tls.caSecret", "broker.tls.caConfigMap"),
    *("broker.tls.clientSecret", "persistence.size", "persistence.storageClass", "ingress.className", "ingress.host"),
    *("ingress.tlsSecret", "serviceMonitor.interval", "serviceAccount.name", "priorityClassName"),
)


def nested(path: str, value: object) -> dict[str, Any]:
    for step in reversed(path.split(".")):
        value = {step: value}
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("path", NAMES)
def test_a_name_that_is_none_is_refused(path: str) -> None:
    """What becomes a name, a path or an address has the characters of one, or the schema refuses it."""
    schema = Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
    for text in ('x"\nprivileged: true', "x'; rm -rf /", "../../etc", "{{ .Values }}", "a b"):
        assert not schema.is_valid(merged(MINIMAL, nested(path, text))), text


def test_helm_holds_values_against_the_schema() -> None:
    """The schema is Helm's to enforce: a name that is none renders nothing."""
    with pytest.raises(Refused, match=r"(?i)broker.existingSecret: does not match pattern"):
        render(merged(MINIMAL, nested("broker.existingSecret", "../../etc")))


def test_files_of_rules_and_dashboard_are_not_read_as_templates() -> None:
    """Braces in the files of monitoring are Prometheus's and Grafana's, not Helm's: each arrives as it is."""
    rules, dashboard = CHART / "files" / "rules.yaml", CHART / "files" / "dashboard.json"
    objects = render(values_of(CHART / "ci" / "monitoring-values.yaml"))

    assert the(objects, "PrometheusRule")["spec"] == yaml.safe_load(rules.read_text())
    assert the(objects, "PrometheusRule")["metadata"]["labels"]["release"] == "prometheus"
    shown = the(objects, "ConfigMap", "-dashboard")
    assert shown["data"]["signal-gateway.json"] == dashboard.read_text()
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert shown["metadata"]["annotations"] == {"grafana_folder": "Trading"}


def test_metrics_are_scraped_where_they_are() -> None:
    """The ServiceMonitor selects the private Service alone, and asks /metrics, which needs no login, on its port."""
    objects = render(values_of(CHART / "ci" / "route-values.yaml"))
    monitor = the(objects, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    services = [one for one in objects if one["kind"] == "Service" and wanted <= one["metadata"]["labels"].items()]

    assert [one["metadata"]["name"] for one in services] == ["r-signal-gateway-private"]
    assert endpoint["port"] in {port["name"] for port in services[0]["spec"]["ports"]}
    assert (endpoint["path"], endpoint["interval"]) == ("/metrics", "30s")
    assert endpoint["metricRelabelings"] == [{"sourceLabels": ["__name__"], "regex": "process_.*", "action": "drop"}]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
