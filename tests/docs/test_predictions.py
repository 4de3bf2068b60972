"""The page of predictions shows what the gateway takes, and what it answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.config.document import read
from gateway.config.folder import Folder
from gateway.config.load import load_document
from gateway.config.settings import Settings
from gateway.intake import Door, Predictions, Received, Source
from gateway.pipeline import Road, consider
from schemas.envelope import complete, decode
from schemas.fields import instant, to_micros
from schemas.prediction import Prediction, PredictionSchema
from schemas.record import load
from schemas.topics import Topics
from tests.docs.markdown import blocks, codes, keyed_rows, page

PAGE = page("docs/predictions.md")
NOW = to_micros(instant("2026-11-22T10:15:01Z"))


def shown(language: str) -> list[str]:
    return [block.text for block in blocks(PAGE) if block.language == language]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (text,) = shown("yaml")
    folder = Folder(tmp_path, tmp_path / "c.yml")
    folder.secrets.mkdir()
    folder.broker_password.write_text("sg_own\n")
    return load_document(read(text, file="c.yml"), folder, {})


def bodies() -> list[str]:
    return [*shown("json"), *re.findall(r"-d '([^']+)'", PAGE)]


@pytest.mark.parametrize("body", bodies())
def test_every_prediction_of_the_page_is_taken_by_its_source(settings: Settings, body: str) -> None:
    """What the page shows is taken as it stands by the source that the page shows."""
    source = settings.sources["btc-models"]
    received = Received(source=source.name, secrets={}, body=body.encode(), at=NOW, door=Door.PREDICTIONS)
    road = Road(sources=settings.sources, topics=Topics())
    ((draft,), _) = consider(received, source, road=road, new_id=lambda: "0" * 36)

    assert draft.destinations[0].topic == "signals/v1/prediction/btc-models/BTC-USDT"
    envelope = decode(complete(draft.head, sequence=0))
    assert isinstance(load(PredictionSchema, envelope.data), Prediction)


def test_the_table_names_every_field() -> None:
    """Each field of the contract has its row."""
    rows = keyed_rows(PAGE)
    assert set(PredictionSchema().fields) <= set(rows)


def test_the_table_of_refusals_has_codes_of_the_api_page() -> None:
    """Each code of a refusal is explained with the other problems."""
    table = PAGE.partition("### What is refused")[2].partition("## One")[0]
    named = {name for line in table.splitlines() for name in codes(line.removesuffix("|").rpartition("|")[2])}
    known = keyed_rows(page("docs/api.md"))

    assert {"invalid", "stale", "key_reused"} <= named & set(known)


def test_the_answers_are_lines_of_json() -> None:
    """The answers that the page shows are what a client parses, and they add up."""
    (text,) = shown("text")
    *answers, last = (json.loads(line) for line in text.splitlines())
    counts: dict[str, Any] = dict.fromkeys(("accepted", "duplicate", "refused"), 0)
    for answer in answers:
        counts[answer["status"]] += 1

    assert last == {"done": True, **counts}


def test_the_trade_of_the_api_page_is_taken() -> None:
    """The trade that the API page posts is taken at /v1/signals."""
    (body,) = re.findall(r"-d '([^']+)' http://127.0.0.1:8080/v1/signals", page("docs/api.md"))
    source = Source(name="my-program")
    received = Received(source=source.name, secrets={}, body=body.encode(), at=NOW, door=Door.SIGNALS)
    ((draft,), _) = consider(received, source, road=Road(sources={}, topics=Topics()), new_id=lambda: "0" * 36)

    assert draft.destinations[0].topic == "signals/v1/trade/my-program/BTC-USDT"


def test_the_page_of_the_configuration_says_what_predictions_need() -> None:
    """The settings of a source of predictions are on the page of the configuration."""
    rows = keyed_rows(page("docs/configuration.md"))
    names = {"ml_signals": "hummingbot.ml_signals"}
    assert {f"sources.NAME.{names.get(name, name)}" for name in Predictions.__dataclass_fields__} <= set(rows)
