"""A prediction's body: what it must say, and what it may not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from schemas.errors import ContractError
from schemas.prediction import Model, Prediction, PredictionSchema, Probabilities, Value
from schemas.record import load, wire

PREDICTION: dict[str, Any] = {
    "model": {"name": "btc-lstm"},
    "instrument": {"raw": "BTC-USDT"},
    "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7},
}
BARE = {name: value for name, value in PREDICTION.items() if name != "probabilities"}


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(ContractError) as raised:
        load(PredictionSchema, document)
    return {fault.where: fault.problem for fault in raised.value.faults}


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"model": None}, "model"),
        ({"model": "btc-lstm"}, "model"),
        ({"model": {"version": "1"}}, "model.name"),
        ({"model": {"name": ""}}, "model.name"),
        ({"model": {"name": "x" * 129}}, "model.name"),
        ({"model": {"name": "x", "version": 7}}, "model.version"),
        ({"instrument": {}}, "instrument.raw"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": -1}, "horizon"),
        ({"horizon": "1h"}, "horizon"),
        ({"horizon": True}, "horizon"),
        ({"probabilities": [0.1, 0.2, 0.7]}, "probabilities"),
        ({"probabilities": {}}, "probabilities"),
        ({"probabilities": {"up": 1.0}}, "probabilities"),
        ({"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.68}}, "probabilities"),
        ({"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.72}}, "probabilities"),
        ({"probabilities": {"short": -0.1, "neutral": 0.2, "long": 0.9}}, "probabilities.short"),
        ({"probabilities": {"long": 1.001}}, "probabilities.long"),
        ({"probabilities": {"long": "1"}}, "probabilities.long"),
        ({"value": {"name": "return"}}, "value.value"),
        ({"value": {"value": 1}}, "value.name"),
        ({"value": {"name": "return", "value": "1e5"}}, "value.value"),
        ({"value": 0.5}, "value"),
        ({"quantiles": {"0.5": "x"}}, "quantiles.0.5"),
        ({"quantiles": {"p50": 1}}, "quantiles"),
        ({"quantiles": {"0": 1}}, "quantiles"),
        ({"quantiles": {"1": 1}}, "quantiles"),
        ({"quantiles": {"0.5": 1, "0.50": 1}}, "quantiles"),
        ({"quantiles": {"0.1": 2, "0.9": "1.5"}}, "quantiles"),
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": -0.1}, "confidence"),
        ({"outlier": 1}, "outlier"),
        ({"target_pct": "0"}, "target_pct"),
        ({"target_pct": 0.01}, "target_pct"),
        ({"observed_at": 1795342501}, "observed_at"),
        ({"produced_at": "2026-11-22T10:15:01"}, "produced_at"),
        ({"features": {"rsi": "high"}}, "features.rsi"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "x" * 257}, "idempotency_key"),
    ],
)
def test_a_wrong_field_is_named_with_its_path(wrong: dict[str, Any], where: str) -> None:
    """Each fault stands at the field that is wrong."""
    found = faults(PREDICTION | wrong)

    assert list(found) == [where]
    assert 0 < len(found[where]) < 300


def test_something_is_predicted() -> None:
    """A prediction says a probability, a value or quantiles."""
    assert "is missing" in faults(BARE)["probabilities"]
    assert list(faults(BARE | {"quantiles": {}})) == ["probabilities"]


def test_each_kind_of_prediction_is_enough() -> None:
    """Probabilities, a value, quantiles: one of them is enough, and all of them are allowed."""
    value = {"value": {"name": "return", "value": 0.01}}
    quantiles = {"quantiles": {"0.05": "-0.01", "0.95": 0.02}}

    assert load(PredictionSchema, BARE | value).value == Value(name="return", value=0.01)
    assert load(PredictionSchema, BARE | quantiles).quantiles == {"0.05": Decimal("-0.01"), "0.95": 0.02}
    assert load(PredictionSchema, PREDICTION | value | quantiles).probabilities == Probabilities(
        short=0.1, neutral=0.2, long=0.7
    )


def test_probabilities_may_be_rounded() -> None:
    """A sum within 0.01 of 1 is one; a class that a model does not have is 0."""
    for long in (0.69, 0.7, 0.71):
        load(PredictionSchema, PREDICTION | {"probabilities": {"short": 0.1, "neutral": 0.2, "long": long}})

    read = load(PredictionSchema, PREDICTION | {"probabilities": {"short": 0.4, "long": 0.6}})
    assert read.probabilities == Probabilities(short=0.4, neutral=0.0, long=0.6)


def test_validity_does_not_end_before_it_begins() -> None:
    """A prediction that was valid until before it was produced is refused at valid_until."""
    early, late = "2026-11-22T10:15:00Z", "2026-11-22T10:15:01Z"

    assert list(faults(PREDICTION | {"produced_at": late, "valid_until": early})) == ["valid_until"]
    read = load(PredictionSchema, PREDICTION | {"produced_at": early, "valid_until": late})
    assert read.valid_until == datetime(2026, 11, 22, 10, 15, 1, tzinfo=UTC)


def test_unknown_fields_are_ignored_and_null_is_absent() -> None:
    """A reader takes what a newer minor version adds."""
    more = {"newer": {"a": 1}, "horizon": None, "confidence": None}
    assert load(PredictionSchema, PREDICTION | more) == load(PredictionSchema, PREDICTION)


def test_absent_is_absent_on_the_wire() -> None:
    """What a sender did not say is not written; a model reads as a person would say it."""
    assert wire(load(PredictionSchema, PREDICTION)) == {
        "model": {"name": "btc-lstm"},
        "instrument": {"raw": "BTC-USDT", "kind": "unknown"},
        "probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7},
    }
    assert str(Model(name="btc-lstm", version="7")) == "btc-lstm 7"
    assert str(Model(name="btc-lstm")) == "btc-lstm"
    assert isinstance(load(PredictionSchema, PREDICTION), Prediction)
