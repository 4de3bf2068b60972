"""Every shape of alert that users send, and what becomes of it: the files beside ``tests/golden/alerts``."""

import json
from pathlib import Path

import pytest

from gateway.errors import Refused
from gateway.intake import Source, each, normalise, parse
from schemas.alert import AlertSchema
from schemas.record import load, wire
from schemas.trade import TradeSchema

ALERTS = Path(__file__).parents[2] / "golden" / "alerts"
SOURCE = Source(name="golden")
SCHEMAS = {"trade": TradeSchema, "alert": AlertSchema}


def _shown(fault):
    names = ("where", "problem", "found", "cause", "line", "column")
    return {name: getattr(fault, name) for name in names if getattr(fault, name) not in (None, "")}


def _becomes(body):
    try:
        batch = parse(body.encode(), source=SOURCE)
        signals = each(batch, lambda document: normalise(document, source=SOURCE))
    except Refused as refused:
        return {"refused": refused.code.code, "faults": [_shown(fault) for fault in refused.faults]}
    return {"signals": [{"body": type(signal).__name__.lower(), "data": wire(signal)} for signal in signals]}


@pytest.mark.parametrize("path", sorted(ALERTS.glob("*.json")), ids=lambda path: path.stem)
def test_an_alert_becomes_what_its_file_says(path):
    golden = json.loads(path.read_text())
    assert _becomes(golden.pop("body").replace("%SECRET%", "SECRET-5d2f8a")) == golden


@pytest.mark.parametrize("path", sorted(ALERTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_signal_of_an_alert_is_read_back_by_the_contract(path):
    for signal in json.loads(path.read_text()).get("signals", ()):
        assert wire(load(SCHEMAS[signal["body"]], signal["data"])) == signal["data"]


def test_the_files_cover_trades_alerts_and_refusals():
    texts = [path.read_text() for path in ALERTS.glob("*.json")]
    assert len(texts) > 60
    for kind in ('"body": "trade"', '"body": "alert"', '"refused": "unreadable"', '"refused": "invalid"'):
        assert any(kind in text for text in texts)
