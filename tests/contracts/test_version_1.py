"""What version 1 may not gain: words and limits that an older reader would refuse a message for."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

from gateway.intake.prediction import LIKE
from schemas.export import json_schemas
from schemas.prediction import PredictionSchema

WORDS = {
    "action": {"buy", "sell", "close", "cancel"},
    "amount_unit": {"base", "quote", "contracts", "percent", "risk_percent"},
    "datacontenttype": {"application/json"},
    "effect": {"open", "reduce", "unknown"},
    "kind": {"spot", "perpetual", "future", "forex", "equity", "index", "unknown"},
    "mode": {"live", "paper", "test"},
    "presence": {"online", "offline", "claim"},
    "previous": {"long", "short", "flat"},
    "stage": {
        *("received", "started", "handled", "failed", "interrupted"),
        *("refused", "expired", "out_of_order", "withdrawn", "filled"),
    },
    "target": {"long", "short", "flat"},
    "type": {"market", "limit", "stop", "stop_limit"},
    "unit": {"base", "quote", "contracts", "percent", "risk_percent"},
}
"""Every closed list of words in a message, by its field. A new word is version 2 (docs/contracts.md)."""


def named(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every field at any depth, with its schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for inner in schema.values():
            yield from named(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from named(inner)


def test_no_field_of_a_message_gains_or_loses_a_word() -> None:
    found: dict[str, set[str]] = {}
    for schema in json_schemas().values():
        for name, field in named(schema):
            if isinstance(field, dict) and "enum" in field:
                found.setdefault(name, set()).update(word for word in field["enum"] if word is not None)

    assert found == WORDS


def test_no_two_fields_of_a_prediction_are_nearly_alike() -> None:
    """A field that is nearly an older one would be refused as a slip by a gateway that does not know it."""
    names = [*PredictionSchema().fields, "pair"]

    assert max(SequenceMatcher(None, *pair).ratio() for pair in combinations(names, 2)) < LIKE
