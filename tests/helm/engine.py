"""The chart, rendered by the real Helm: version 3 as a program, version 4 as a library."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "signal-gateway"
SETS = sorted((CHART / "ci").glob("*-values.yaml"))
RELEASE, NAMESPACE = "r", "trading"
KINDS = (
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "monitoring.coreos.com/v1/ServiceMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
)
MINIMAL: Mapping[str, Any] = yaml.safe_load((CHART / "ci" / "minimal-values.yaml").read_text())

Object = dict[str, Any]


class Refused(Exception):
    """Helm rendered nothing, and said why."""


def name_of(path: Path) -> str:
    return path.name.removesuffix("-values.yaml")


def merged(*several: Mapping[str, Any]) -> dict[str, Any]:
    """Values put on top of each other, as Helm does with several files."""
    result: dict[str, Any] = {}
    for values in several:
        for key, value in values.items():
            below = result.get(key)
            result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def values_of(path: Path) -> dict[str, Any]:
    """The values of a file."""
    values: dict[str, Any] = yaml.safe_load(path.read_text())
    return values


@cache
def program() -> str:
    """Helm 3: the one beside this Python, else one on PATH."""
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("helm", path=beside)
    if found is None:
        pytest.skip("helm is not installed (on Linux x86_64 it comes with requirements/dev.txt)")
    return found


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> str:
    """Run Helm and return what it printed.

    Raises:
        Refused: with what it said.
    """
    given = ["--values", "-"] if values is not None else []
    written = json.dumps(values, ensure_ascii=False).encode()
    done = subprocess.run([program(), *arguments, *given], input=written, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise Refused((done.stderr + done.stdout).decode())
    return done.stdout.decode()


def render(values: Mapping[str, Any], *, kinds: Iterable[str] = KINDS, release: str = RELEASE) -> list[Object]:
    """The objects that Helm 3 makes of the chart.

    Args:
        values: what is put on top of the chart's own.
        kinds: those that the cluster knows besides Kubernetes's own.
        release: what it is installed as.

    Raises:
        Refused: with what it said.
    """
    return deepcopy(_rendered(json.dumps(values), tuple(kinds), release))


@cache
def _rendered(values: str, kinds: tuple[str, ...], release: str) -> list[Object]:
    known = [word for kind in kinds for word in ("--api-versions", kind)]
    text = helm("template", release, str(CHART), "--namespace", NAMESPACE, *known, values=json.loads(values))
    return [document for document in yaml.safe_load_all(text) if document]


def four() -> Any:
    """Helm 4's library."""
    if find_spec("helm_python") is None:
        pytest.skip("helm-python-sdk is not installed (on Linux x86_64 it comes with requirements/dev.txt)")
    return import_module("helm_python")


def lint_with_4(values: Mapping[str, Any]) -> set[str]:
    """What Helm 4 has against the chart, strictly."""
    report = four().lint(CHART, dict(values), strict=True)
    return {*report["errors"], *(message["error"] for message in report["messages"])}


def render_with_4(values: Mapping[str, Any]) -> tuple[list[Object], str]:
    """The objects, and the notes, that Helm 4 makes of the chart for a cluster without CRDs."""
    with four().Chart.load(CHART) as chart:
        files = chart.render(dict(values), name=RELEASE, namespace=NAMESPACE)
    notes = files.pop("signal-gateway/templates/NOTES.txt", "")
    return [document for text in files.values() for document in yaml.safe_load_all(text) if document], notes


def of_kind(objects: Iterable[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def the(objects: Iterable[Object], kind: str, suffix: str = "") -> Object:
    """The one object of a kind whose name ends so."""
    (found,) = [one for one in of_kind(objects, kind) if one["metadata"]["name"].endswith(suffix)]
    return found


def pod(objects: Iterable[Object]) -> Object:
    """The gateway's pod."""
    template: Object = the(objects, "StatefulSet")["spec"]["template"]
    return template


def container(objects: Iterable[Object]) -> Object:
    """The gateway's container, which is the only one."""
    (only,) = pod(objects)["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def configuration(objects: Iterable[Object]) -> Object:
    """signal-gateway.yml, as the pod has it."""
    (one,) = [one for one in of_kind(objects, "ConfigMap") if "signal-gateway.yml" in one["data"]]
    document: Object = yaml.safe_load(one["data"]["signal-gateway.yml"])
    return document
