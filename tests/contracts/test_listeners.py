"""Nothing answers what its OpenAPI document does not say: schemathesis asks a running gateway all it can think of."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.web.contracts import documents
from schemas.topics import Topics
from tests.contracts.ndjson import NDJSON
from tests.docs.markdown import ROOT
from tests.e2e.deployment import Deployment

NOT_HELD = "not_a_server_error,positive_data_acceptance"
"""A 503 that the document names is no fault here, nor is a refusal of what no schema can rule out: a reused key."""


AT_LENGTH = 100
"""Examples of each request."""

SOURCES = {"btc": {}, "models": {"type": "prediction", "models": ["btc-lstm"], "interval": "5m"}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A gateway that has taken some signals in, and refused one."""
    deployment = Deployment(tmp_path_factory.mktemp("gateway"), sources=SOURCES, external=False)
    try:
        deployment.start_gateway()
        for body in ('{"ticker": "BTCUSDT", "action": "buy"}', "a text", '{"ticker":'):
            deployment.post("btc", body)
        yield deployment
    finally:
        deployment.close()


@pytest.fixture(scope="module")
def tokens(gateway: Deployment) -> dict[str, str]:
    """What opens each source."""
    key = gateway.cli("keys", "rotate", "models", "--json")["token"]
    return {"btc": gateway.webhooks["btc"].rpartition("/")[2], "models": key}


def ask(document: Any, folder: Path, *, port: int, examples: int, token: str = "") -> subprocess.CompletedProcess[str]:
    """Let schemathesis ask, the same each time where it is brief; what it found is in what it printed."""
    (folder / "openapi.json").write_text(json.dumps(document))
    command = [
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", "openapi.json"),
        *("--url", f"http://127.0.0.1:{port}", "--max-examples", str(examples), "--continue-on-failure"),
        *("--checks", "all", "--exclude-checks", NOT_HELD),
        *(("--generation-deterministic",) if examples < AT_LENGTH else ("--generation-database", "none")),
        *(("--header", f"Authorization: Bearer {token}") if token else ()),
    ]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.contracts.ndjson", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def foreseen(name: str) -> Any:
    """A document without the answer for what nobody foresaw, which must not come, and with NDJSON as lists of lines."""
    document = documents(Topics())[name]
    for methods in document["paths"].values():
        for operation in methods.values():
            del operation["responses"]["500"]
            asked = operation.get("requestBody", {}).get("content", {})
            if NDJSON in asked:  # a line that is wrong is answered with 200 too
                asked[NDJSON]["schema"] = {"anyOf": [listed(asked), {}]}
                answered = operation["responses"]["200"]["content"]
                answered[NDJSON]["schema"] = listed(answered)
    return document


def listed(content: Any) -> Any:
    """A list of what the description of NDJSON says that its lines are."""
    names = re.findall(r"`(\w+)`", content[NDJSON]["schema"]["description"])
    return {"type": "array", "items": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names]}}


def at(document: Any, path: str, **values: str) -> Any:
    """What a document says of an address, for one whose parts are known, so that what is sent there is read."""
    own = json.loads(json.dumps(document["paths"][path]))
    for operation in own.values():
        operation["operationId"] += "-opened"
        operation["parameters"] = [one for one in operation["parameters"] if one["in"] != "path"]
    return {path.format(**values): own}


def admin(deployment: Deployment) -> str:
    return (deployment.data / "secrets" / "api.token").read_text().strip()


EXAMPLES = [pytest.param(15, id="briefly"), pytest.param(AT_LENGTH, id="at length", marks=pytest.mark.more)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_private_listener_answers_as_its_document_says(gateway: Deployment, tmp_path: Path, examples: int) -> None:
    def let_in() -> dict[str, float]:
        return {
            route: gateway.metric("signal_gateway_http_requests_total", listener="private", route=route, status="200")
            for route in ("status", "signals", "refusals", "bots", "contract")
        }

    before = let_in()
    asked = ask(foreseen("openapi.json"), tmp_path, port=gateway.private, examples=examples, token=admin(gateway))

    assert asked.returncode == 0, asked.stdout[-8000:] + asked.stderr[-2000:]
    assert all(let_in()[route] > count for route, count in before.items())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("examples", EXAMPLES)
def test_the_public_listener_answers_as_its_document_says(
    gateway: Deployment, tmp_path: Path, examples: int, tokens: dict[str, str]
) -> None:
    document, before = foreseen("openapi-public.json"), gateway.metric("signal_gateway_received_total", source="btc")
    document["paths"] |= at(document, "/hooks/{source}/{token}", source="btc", token=tokens["btc"])
    asked = ask(document, tmp_path, port=gateway.public, examples=examples)

    assert asked.returncode == 0, asked.stdout[-8000:] + asked.stderr[-2000:]
    assert gateway.metric("signal_gateway_received_total", source="btc") > before


@pytest.mark.timeout(600)
@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize(("path", "source"), [("/v1/signals/{source}", "btc"), ("/v1/predictions/{source}", "models")])
def test_programs_are_answered_as_the_document_says(
    *, gateway: Deployment, tmp_path: Path, path: str, source: str, examples: int, tokens: dict[str, str]
) -> None:
    def taken() -> float:
        counters = ("signal_gateway_accepted_total", "signal_gateway_duplicates_total")
        return sum(gateway.metric(counter, source=source) for counter in counters)

    def answered_by_line() -> float:
        route = f"post_{path.split('/')[2]}"
        return gateway.metric("signal_gateway_http_requests_total", listener="public", route=route, status="200")

    document, before, lines = foreseen("openapi-public.json"), taken(), answered_by_line()
    document["paths"] = at(document, path, source=source)
    asked = ask(document, tmp_path, port=gateway.public, examples=examples, token=tokens[source])

    assert asked.returncode == 0, asked.stdout[-8000:] + asked.stderr[-2000:]
    assert taken() > before
    assert answered_by_line() > lines + 10


def test_an_answer_that_the_document_does_not_say_is_found(gateway: Deployment, tmp_path: Path) -> None:
    document = foreseen("openapi.json")
    path = "/api/v1/signals/{id}"
    document["paths"] = {path: document["paths"][path]}
    del document["paths"][path]["get"]["responses"]["404"]
    asked = ask(document, tmp_path, port=gateway.private, examples=5, token=admin(gateway))

    assert asked.returncode == 1
    assert "Undocumented status code" in asked.stdout


def test_a_field_that_the_document_says_otherwise_is_found(gateway: Deployment, tmp_path: Path) -> None:
    document = foreseen("openapi.json")
    document["paths"] = {path: document["paths"][path] for path in ("/api/v1/status",)}
    document["components"]["schemas"]["Outbox"]["properties"]["waiting"] = {"type": "string"}
    asked = ask(document, tmp_path, port=gateway.private, examples=5, token=admin(gateway))

    assert asked.returncode == 1
    assert "Response violates schema" in asked.stdout
