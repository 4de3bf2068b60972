"""The chart as Helm's own checks see it; its values, their schema and their documentation say the same."""

from __future__ import annotations

import json
import re
import tarfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm.engine import (
    CHART,
    MINIMAL,
    NAMESPACE,
    RELEASE,
    ROOT,
    SETS,
    Refused,
    helm,
    lint_with_4,
    merged,
    name_of,
    render,
    render_with_4,
    values_of,
)

SCHEMA: Mapping[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES_TEXT = (CHART / "values.yaml").read_text()
PASSED_ON = {"config.sources", "dashboard.labels", "resources"}
"""Sections whose keys are another's."""


def settable(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every value that the schema knows, with its path."""
    for key, inner in schema.get("properties", {}).items():
        below = f"{path}{key}"
        yield below
        if inner.get("additionalProperties") is False:
            yield from settable(inner, f"{below}.")


def lines_of(text: str) -> Iterator[tuple[str, bool]]:
    """Every key of a YAML text with its path, and whether a comment stands straight above it."""
    path: list[str] = []
    lines = text.splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        found = re.match(r"( *)([A-Za-z_]+):", line)
        if found:
            path[len(found[1]) // 2 :] = [found[2]]
            yield ".".join(path), above.strip().startswith("#")


@pytest.mark.parametrize("path", SETS, ids=name_of)
def test_lint_finds_nothing(path: Path) -> None:
    """``helm lint --strict`` is content with every set of values, in Helm 3 and 4; a chart needs no icon."""
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), values=values_of(path))
    assert lint_with_4(values_of(path)) <= {"icon is recommended"}


def test_a_packaged_chart_is_whole(tmp_path: Path) -> None:
    """``helm package`` leaves out what is for tests alone, and what it packs makes the same objects."""
    helm("package", str(CHART), "--destination", str(tmp_path))
    (packed,) = tmp_path.iterdir()
    with tarfile.open(packed) as archive:
        names = archive.getnames()
    text = helm("template", RELEASE, str(packed), "--namespace", NAMESPACE, values=MINIMAL)

    assert not [name for name in names if "/ci/" in name]
    assert [one for one in yaml.safe_load_all(text) if one] == render(MINIMAL)


def test_an_older_kubernetes_is_refused() -> None:
    """Before the oldest version that the objects were held against, nothing is rendered."""
    with pytest.raises(Refused, match=r"kubeVersion: >=1\.28"):
        helm("template", RELEASE, str(CHART), "--kube-version", "1.27.9", values=MINIMAL)
    assert helm("template", RELEASE, str(CHART), "--kube-version", "1.28.0", values=MINIMAL)


def test_the_chart_has_the_version_of_the_package() -> None:
    """The image's tag, which is the chart's appVersion unless given, is the package's version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert chart["appVersion"] == package
    assert re.fullmatch(r"\d+\.\d+\.\d+(-dev\.\d+)?", chart["version"])
    assert chart["version"].replace("-dev.", ".dev") == package


def test_values_and_schema_know_the_same() -> None:
    """Every value of values.yaml is in the schema, and the schema has none that values.yaml does not show."""
    shown = {path for path, _ in lines_of(VALUES_TEXT)}
    shown = {path for path in shown if not any(path.startswith(f"{section}.") for section in PASSED_ON)}

    assert shown - {"config.sources"} == set(settable(SCHEMA)) - {"global"}


def test_every_value_is_explained() -> None:
    """Above every value, or the section that it opens, stands what it means."""
    sections = {"image", "broker", "broker.tls", "broker.service", "service", "ingress", "httpRoute", "networkPolicy"}
    sections |= {"networkPolicy.egress", "persistence", "serviceMonitor", "prometheusRule", "dashboard"}
    sections |= {"podDisruptionBudget", "serviceAccount"}

    assert {path for path, explained in lines_of(VALUES_TEXT) if not explained} <= sections


def test_the_documented_values_are_those_of_the_chart() -> None:
    """values.yaml itself fits its schema: nothing is refused but what is not set."""
    with pytest.raises(Refused, match="These values cannot work"):
        render({})


@pytest.mark.parametrize(
    "values",
    [
        {"replica": 1},
        {"image": {"name": "x"}},
        {"broker": {"password": "x"}},
        {"broker": {"tls": {"ca": "x"}}},
        {"ingress": {"tls": []}},
        {"networkPolicy": {"egress": {"deny": True}}},
    ],
    ids=str,
)
def test_a_misspelled_value_is_refused(values: Mapping[str, Any]) -> None:
    """A key that no value has is an error on each of our levels, and no silent default."""
    with pytest.raises(Refused, match=r"(?i)additional propert"):
        render(merged(MINIMAL, values))


@pytest.mark.parametrize("path", [path for path in SETS if name_of(path) not in {"route", "monitoring"}], ids=name_of)
def test_helm_4_makes_the_same(path: Path) -> None:
    """Helm 4 renders what Helm 3 renders, where no CRDs are needed."""
    values = values_of(path)
    threes, (fours, _) = render(values, kinds=()), render_with_4(values)

    def key(one: Mapping[str, Any]) -> tuple[str, str]:
        return one["kind"], one["metadata"]["name"]

    assert sorted(fours, key=key) == sorted(threes, key=key)


def test_the_notes_lead_to_the_first_webhook() -> None:
    """After an installation the commands are shown that make a token and post an alert to the public name."""
    _, notes = render_with_4(values_of(CHART / "ci" / "ingress-values.yaml"))

    assert (
        "kubectl exec --namespace trading r-signal-gateway-0 -c gateway -- signal-gateway keys rotate tradingview"
        in notes
    )
    assert "https://signals.example.com/hooks/tradingview/sg_" in notes
    assert "helm test --namespace trading r" in notes
    assert "port-forward" not in notes


def test_the_notes_of_a_trial_say_what_is_lost_and_where_bots_go() -> None:
    """With the embedded broker and no volume the notes say both, and how an alert comes in without a public name."""
    _, notes = render_with_4(values_of(CHART / "ci" / "embedded-values.yaml"))

    assert "r-signal-gateway-mqtt.trading.svc:1883" in notes
    assert "are lost with the pod" in notes
    assert "kubectl port-forward --namespace trading service/r-signal-gateway 8080:http" in notes
