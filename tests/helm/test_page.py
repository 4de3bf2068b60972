"""docs/kubernetes.md: its values render and are right, and its commands name what is there."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli.main import COMMANDS
from gateway.config.folder import find_folder
from gateway.config.initialise import initialise
from tests.certificates import Authority
from tests.docs.markdown import blocks, page
from tests.helm.engine import Object, container, of_kind, render, the
from tests.helm.laid_out import lay_out

TEXT = page("docs/kubernetes.md")
BLOCKS = [block for block in blocks(TEXT) if block.language == "yaml"]
EXAMPLES = {block.section: yaml.safe_load(block.text) for block in BLOCKS}
COMMANDS_SHOWN = "\n".join(block.text for block in blocks(TEXT) if block.language == "sh")


def rendered(values: Mapping[str, Any]) -> list[Object]:
    return render(values, release="signal-gateway")


@pytest.mark.parametrize("section", EXAMPLES)
def test_the_values_of_the_page_are_taken_by_chart_and_gateway(
    section: str, tmp_path: Path, authority: Authority
) -> None:
    """Each example renders, and the gateway that it describes finds nothing wrong with its configuration."""
    values = EXAMPLES[section]
    key = base64.urlsafe_b64encode(bytes(range(32))).decode()
    secrets = {
        "broker": {"password": "x", "emqx.key": "a:b", "ca.crt": Path(authority.ca).read_text()},
        "telegram": {"url": "ntfys://topic"},
        "command-keys": {"mybot": f"gateway:{key}\n"},
    }
    out = lay_out(rendered(values), tmp_path, secrets=secrets, maps={})

    assert initialise(find_folder(None, None, out.environ), out.environ, now=0, tokens=False).settings.sources


def test_the_secrets_of_the_example_are_those_that_the_page_makes() -> None:
    """Every Secret that the first example names is made by a command, with the keys that are read from it."""
    (made,) = re.findall(r"create secret generic broker --namespace trading (.+)", COMMANDS_SHOWN)
    keys = {source.partition("=")[0].rpartition("/")[2] for source in re.findall(r"--from-file=(\S+)", made)}
    broker = EXAMPLES["From nothing to the first webhook"]["broker"]

    assert keys == {"password", "emqx.key", "ca.crt"}
    assert broker["existingSecret"] == broker["tls"]["caSecret"] == "broker"


def test_names_on_the_page_are_names_of_objects() -> None:
    """The release of the page makes the StatefulSet, Services, pod and claim that its commands name."""
    objects = rendered(EXAMPLES["To try it without a broker"])
    services = {one["metadata"]["name"] for one in of_kind(objects, "Service")}
    stateful = the(objects, "StatefulSet")

    assert "helm install signal-gateway helm/signal-gateway " in COMMANDS_SHOWN
    assert set(re.findall(r"statefulset/([\w-]+)", TEXT)) == {stateful["metadata"]["name"]}
    assert set(re.findall(r"service/([\w-]+)", TEXT)) <= services
    assert {"signal-gateway-mqtt", "signal-gateway-private"} <= services
    assert stateful["spec"]["serviceName"] == "signal-gateway-private"
    assert set(re.findall(r"kubectl exec --namespace trading ([\w-]+) ", TEXT)) == {"signal-gateway-0"}
    assert container(objects)["name"] == "gateway"


def test_commands_on_the_page_are_commands() -> None:
    """What the page runs in the pod, the command line has."""
    run = re.findall(r"kubectl exec [^\n]* -- signal-gateway (\w+)", COMMANDS_SHOWN)

    assert {"keys", "signals", "bots"} <= set(run) <= COMMANDS.keys()


def test_the_page_says_what_was_not_run_and_what_checks_it() -> None:
    """Whoever reads it knows that no cluster was there, and the one command that checks it on theirs."""
    before, _, after = TEXT.partition("**The chart is not yet run on a cluster.**")

    assert before.count("\n") < 10
    assert after.split("```sh\n", 1)[1].startswith("helm test signal-gateway --namespace trading\n")
