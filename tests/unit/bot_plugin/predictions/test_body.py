"""A prediction as a pipeline says it becomes the wire's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from bot_plugin.predictions.body import Line, line_of
from bot_plugin.predictions.instrument import instrument_of

NOW = datetime(2026, 11, 26, 10, 0, 0, 250_000, tzinfo=UTC)


def line(prediction: Mapping[str, Any]) -> Line:
    return line_of(prediction, model="lstm", model_version="7", now=NOW, new_key=lambda: "new")


def body(**prediction: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(line({"pair": "BTC-USDT", **prediction}).text)
    return read


def test_all_that_a_model_can_say_is_written_as_the_wire_has_it() -> None:
    """Every field at once."""
    said = line(
        {
            "pair": "BTC-USDT",
            "model": "gbm",
            "probabilities": {"short": 0.125, "neutral": 0.25, "long": Fraction(5, 8)},
            "value": ("return", 0.0042),
            "quantiles": {0.05: Decimal("-0.010"), "0.5": 0.004},
            "horizon": "1h",
            "confidence": 0.75,
            "outlier": False,
            "target_pct": 0.0042,
            "observed_at": datetime(2026, 11, 26, 12, tzinfo=timezone(timedelta(hours=2))),
            "produced_at": "2026-11-26T10:00:00.1Z",
            "valid_until": "2026-11-26T10:01:00+00:00",
            "features": {"rsi": 70.1, "close": Decimal("61234.50")},
            "idempotency_key": "k",
        }
    )

    assert json.loads(said.text) == {
        "model": {"name": "gbm"},
        "instrument": {"raw": "BTC-USDT", "base": "BTC", "quote": "USDT", "pair": "BTC-USDT"},
        "probabilities": {"short": 0.125, "neutral": 0.25, "long": 0.625},
        "value": {"name": "return", "value": 0.0042},
        "quantiles": {"0.05": "-0.010", "0.5": 0.004},
        "horizon": 3600,
        "confidence": 0.75,
        "outlier": False,
        "target_pct": "0.0042",
        "observed_at": "2026-11-26T10:00:00.000000Z",
        "produced_at": "2026-11-26T10:00:00.100000Z",
        "valid_until": "2026-11-26T10:01:00.000000Z",
        "features": {"rsi": 70.1, "close": "61234.50"},
        "idempotency_key": "k",
    }
    assert (said.key, said.expires) == ("k", datetime(2026, 11, 26, 10, 1, tzinfo=UTC))


def test_what_is_not_given_is_the_settings_or_absent() -> None:
    """The key is new, and it was produced now; None is as good as absent."""
    assert body(confidence=None, outlier=None) == {
        "model": {"name": "lstm", "version": "7"},
        "instrument": {"raw": "BTC-USDT", "base": "BTC", "quote": "USDT", "pair": "BTC-USDT"},
        "produced_at": "2026-11-26T10:00:00.250000Z",
        "idempotency_key": "new",
    }


def test_a_model_of_ones_own_does_not_get_the_settings_version() -> None:
    """That version is of the settings' model."""
    assert body(model="gbm")["model"] == {"name": "gbm"}
    assert body(model="gbm", model_version="8")["model"] == {"name": "gbm", "version": "8"}
    assert body(model_version="8")["model"] == {"name": "lstm", "version": "8"}


def test_a_model_and_a_pair_that_nobody_names_are_left_to_the_gateways_source() -> None:
    """Which may have only one of each."""
    said = line_of({"value": ("return", 1)}, model=None, model_version=None, now=NOW, new_key=lambda: "k")

    assert {"model", "instrument"} & json.loads(said.text).keys() == set()


@pytest.mark.parametrize(
    ("horizon", "seconds"), [("15m", 900), ("1h", 3600), ("1.5h", 5400), ("1 d", 86_400), ("1w", 604_800), ("90s", 90)]
)
def test_a_horizon_may_be_a_text(horizon: str, seconds: float) -> None:
    """As exchanges name their intervals."""
    assert body(horizon=horizon)["horizon"] == seconds


def test_a_horizon_counts_from_the_candle_or_else_from_when_it_was_produced() -> None:
    """A prediction always says when it stops being true, where the sender can know it."""
    candle = NOW - timedelta(minutes=1)

    assert body(horizon=timedelta(hours=1))["valid_until"] == "2026-11-26T11:00:00.250000Z"
    assert "valid_until" not in body(horizon=60, observed_at=candle)
    assert line({"pair": "X", "horizon": 90, "observed_at": candle}).expires == NOW + timedelta(seconds=30)
    assert line({"pair": "X"}).expires is None
    assert line({"pair": "X", "horizon": 1e300}).expires is None


def test_with_a_key_of_ones_own_the_same_prediction_is_the_same_bytes_whenever_it_is_sent() -> None:
    """The gateway refuses another body under a key that it knows."""
    said = {"pair": "BTC-USDT", "horizon": "1h", "observed_at": NOW, "idempotency_key": "k"}
    later = line_of(said, model=None, model_version=None, now=NOW + timedelta(seconds=9), new_key=lambda: "other")

    assert later == line_of(said, model=None, model_version=None, now=NOW, new_key=lambda: "new")
    with pytest.raises(ValueError, match="horizon counts from a time of its own"):
        line({"pair": "BTC-USDT", "horizon": "1h", "idempotency_key": "k"})


@pytest.mark.parametrize(
    ("pair", "instrument"),
    [
        ("BTC-USDT", {"base": "BTC", "quote": "USDT", "pair": "BTC-USDT"}),
        ("BTC/USDT", {"base": "BTC", "quote": "USDT", "pair": "BTC-USDT"}),
        (
            "BTC/USDT:USDT",
            {
                "base": "BTC",
                "quote": "USDT",
                "pair": "BTC-USDT",
                "settle": "USDT",
                "kind": "perpetual",
                "ccxt": "BTC/USDT:USDT",
            },
        ),
        (
            "BTC/USDT:USDT-261225",
            {
                "base": "BTC",
                "quote": "USDT",
                "pair": "BTC-USDT",
                "settle": "USDT",
                "kind": "future",
                "ccxt": "BTC/USDT:USDT-261225",
            },
        ),
        ("BTCUSDT.P", {}),
        ("BINANCE:BTCUSDT", {}),
        ("BTC-USDT-PERP", {}),
    ],
)
def test_a_pair_says_what_is_traded_as_far_as_it_is_known(pair: str, instrument: dict[str, str]) -> None:
    """Hummingbot's spelling, ccxt's, freqtrade's; another is the gateway's to read."""
    assert instrument_of(pair) == {"raw": pair, **instrument}


def test_positional_probabilities_stay_in_their_places() -> None:
    """Which is which, the gateway's source says, or refuses them."""
    assert body(probabilities=(0.1, 0.2, 0.7))["probabilities"] == [0.1, 0.2, 0.7]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("pair", "", "pair is text"),
        ("model", 7, "model is text"),
        ("probabilities", {"long": float("nan")}, "probabilities [long] has nan, which is not a finite number"),
        ("probabilities", {"long": "high"}, "probabilities [long] has 'high', which is not a number"),
        ("probabilities", {"long": True}, "probabilities [long] has True"),
        ("probabilities", "long", "probabilities are numbers by name"),
        ("probabilities", [float("inf")], "probabilities has inf"),
        ("value", 0.0042, "value"),
        ("value", "return", "value is what is predicted and its number"),
        ("value", ("return", None), "value has None"),
        ("quantiles", [0.1], "quantiles are values by their level"),
        ("quantiles", {"median": 1}, "quantiles has 'median'"),
        ("horizon", "soon", 'horizon is seconds, a timedelta, or text such as "15m"'),
        ("horizon", float("nan"), "horizon has nan"),
        ("confidence", None.__class__, "confidence has"),
        ("outlier", "false", "outlier is True or False, not 'false'"),
        ("target_pct", "a lot", "target_pct has 'a lot'"),
        ("target_pct", Decimal("NaN"), "target_pct has Decimal('NaN')"),
        ("target_pct", "1e-50", "target_pct has '1e-50'"),
        ("target_pct", "1." + "1" * 40, "more than 38 digits"),
        ("observed_at", datetime(2026, 1, 1), "observed_at has no zone"),  # noqa: DTZ001
        ("observed_at", 1_786_000_000, "observed_at is a datetime with a zone, or RFC 3339 text"),
        ("observed_at", "yesterday", "observed_at is RFC 3339 with a zone"),
        ("valid_until", "2026-13-01T00:00:00Z", "valid_until is RFC 3339"),
        ("valid_until", "9999-12-31T23:59:59-12:00", "valid_until is RFC 3339"),
        ("features", {"rsi": float("nan")}, "features [rsi] has nan"),
        ("features", {1: 2}, "features [1] is text"),
        ("instrument", "BTC", "instrument is an object"),
        ("instrument", {"raw": {1, 2}}, "instrument is no JSON"),
        ("idempotency_key", "\ud800", "idempotency_key"),
        ("probabilties", {}, "'probabilties' is no field of a prediction; there are pair, instrument"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_field_before_anything_goes_out(
    field: str, value: Any, words: str
) -> None:
    """In the caller's own words."""
    with pytest.raises(ValueError) as refused:
        line({"pair": "BTC-USDT", field: value})

    assert words in str(refused.value)


def test_every_field_that_is_wrong_is_named_at_once() -> None:
    """Nobody mends one to be told of the next."""
    with pytest.raises(ValueError) as refused:
        line({"horizon": "soon", "confidence": "very"})

    assert str(refused.value).count(";") == 1
    assert "confidence has 'very'" in str(refused.value)
