"""What programs may post is what the intake takes, and what it answers line by line is what the document says."""

from __future__ import annotations

import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator as Validator

from gateway.errors import Refused
from gateway.intake.canonical import causationid, demand, trade, valid_until
from gateway.intake.prediction import predict
from gateway.intake.source import Predictions, Source
from gateway.web.contracts.openapi import public_openapi
from schemas.fields import instant, to_micros
from tests.contracts.test_json_schemas import SPECIAL, places, replaced
from tests.e2e.deployment import Deployment
from tests.golden.test_v1 import golden

COMPONENTS = public_openapi()["components"]
NOW = to_micros(instant("2026-11-22T10:15:02Z"))
CLASSES = ("short", "neutral", "long")
SIGNALS = ("trade", "trade_minimal")
PREDICTIONS = ("prediction", "prediction_minimal", "prediction_value")


def valid(component: str, document: Any) -> bool:
    return Validator({"components": COMPONENTS, "$ref": f"#/components/schemas/{component}"}).is_valid(document)


def refusal(name: str, document: Any) -> str | None:
    """Why the intake refuses a document; None where it takes it."""
    exact = json.loads(json.dumps(document), parse_float=Decimal, parse_int=Decimal)
    try:
        if name in SIGNALS:
            demand(exact)
            trade(exact, source=Source(name="btc"))
            valid_until(exact)
            causationid(exact)
        else:
            rules = Predictions(models=(body(name)["model"]["name"],), interval=300, classes=CLASSES)
            predict(exact, source=Source(name="models", predictions=rules), accepted_at=NOW)
    except Refused as refused:
        return str(refused)
    return None


def component(name: str) -> str:
    return "PostedTrade" if name in SIGNALS else "PostedPrediction"


def body(name: str) -> Any:
    return json.loads(golden(name))["data"]


@pytest.mark.parametrize("name", [*SIGNALS, *PREDICTIONS])
def test_what_the_contract_spells_may_be_posted(name: str) -> None:
    assert valid(component(name), body(name))
    assert refusal(name, body(name)) is None


@pytest.mark.parametrize(
    ("path", "name"), [("/v1/signals/{source}", "trade"), ("/v1/predictions/{source}", "prediction")]
)
def test_the_documents_own_example_is_right(path: str, name: str) -> None:
    content = public_openapi()["paths"][path]["post"]["requestBody"]["content"]["application/json"]

    assert valid(component(name), content["example"])
    assert refusal(name, content["example"]) is None


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("trade", {"order": {"price": 61234.5, "quantity": {"value": 1}, "take_profit": [62000]}}),
        ("trade", {"valid_until": "2026-11-22T11:00:00Z"}),
        ("trade", {"causationid": "0193a6c2-0000-7000-8000-000000000001"}),
        ("prediction", {"model": "btc-lstm", "instrument": None, "pair": "BTC-USDT"}),
        ("prediction", {"instrument": "BINANCE:BTCUSDT.P", "probabilities": [0.1, 0.2, 0.7], "target_pct": 0.004}),
    ],
)
def test_other_spellings_may_be_posted_too(name: str, more: dict[str, Any]) -> None:
    assert valid(component(name), body(name) | more)
    assert refusal(name, body(name) | more) is None


@pytest.mark.parametrize("name", [*SIGNALS, *PREDICTIONS])
def test_nothing_is_taken_that_the_document_does_not_allow(name: str) -> None:
    """What the document allows may be refused for a reason that no schema holds: another model, too many digits."""
    document = body(name)
    allowed = refused = 0
    for path in [path for path in places(document) if path]:
        for value in SPECIAL:
            changed = replaced(document, path, value)
            if valid(component(name), changed):
                allowed += 1
            else:
                refused += 1
                assert refusal(name, changed), (path, value)

    assert allowed
    assert refused


def test_each_line_of_an_answer_is_what_the_document_says(tmp_path: Path) -> None:
    line = body("prediction_value") | {"observed_at": None, "produced_at": None, "valid_until": None}
    lines = [line | {"idempotency_key": "k1"}, line | {"idempotency_key": "k1"}, line | {"confidence": 2}]
    source = {"type": "prediction", "models": ["btc-gbm"], "interval": "5m"}
    deployment = Deployment(tmp_path, sources={"models": source}, external=False)
    try:
        token = deployment.cli("keys", "rotate", "models", "--json")["token"]
        deployment.start_gateway()
        request = urllib.request.Request(
            f"http://127.0.0.1:{deployment.public}/v1/predictions/models",
            data="\n".join(map(json.dumps, lines)).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            *answered, last = [json.loads(text) for text in answer.read().splitlines()]
    finally:
        deployment.close()

    assert [one["status"] for one in answered] == ["accepted", "duplicate", "refused"]
    assert all(valid("Line", one) for one in answered)
    assert {name for one in answered for name in one} == set(COMPONENTS["schemas"]["Line"]["properties"])
    assert valid("LastLine", last)
    assert last.keys() == {"done", "accepted", "duplicate", "refused"}
