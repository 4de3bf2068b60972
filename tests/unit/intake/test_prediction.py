"""What a document of a source of predictions means, and until when it is true."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import Code, Refused
from gateway.intake import Predictions, Source, lasting, parse, predict
from gateway.intake.prediction import Prediction
from schemas.fields import micros_text
from schemas.instrument import Instrument, Kind
from schemas.prediction import Model, Probabilities, Value

SECOND = 1_000_000
RULES = Predictions(models=("btc-lstm", "btc-gbm"), interval=300.0)
SOURCE = Source(name="models", predictions=RULES)
NAMED = {"short": 0.1, "neutral": 0.2, "long": 0.7}
BODY: dict[str, Any] = {"model": {"name": "btc-lstm", "version": "7"}, "pair": "BTC-USDT", "probabilities": NAMED}


def source(**rules: Any) -> Source:
    return Source(name="models", predictions=Predictions(**{"models": ("btc-lstm",), **rules}))


def read(document: dict[str, Any], *, source: Source = SOURCE, now: int) -> Prediction:
    (parsed,) = parse(json.dumps(document).encode(), source=source).documents
    return predict(parsed, source=source, accepted_at=now)


def faults(document: dict[str, Any], *, source: Source = SOURCE, now: int) -> dict[str, Any]:
    with pytest.raises(Refused) as refused:
        read(document, source=source, now=now)
    assert refused.value.code is Code.INVALID
    return {fault.where: fault for fault in refused.value.faults}


def test_a_prediction_is_read(now: int) -> None:
    """Everything that the contract knows is read; numbers are numbers, and target_pct is exact."""
    more = {
        "value": {"name": "return", "value": 1e-7},
        "quantiles": {"0.05": -0.01, "0.95": 2},
        "target_pct": 0.0042,
        "confidence": 1,
        "outlier": False,
        "features": {"rsi": 70.1, "volume": "123.50"},
        "idempotency_key": "k",
        "newer": {"unknown": True},
    }
    found = read(BODY | more, now=now)

    assert found.model == Model(name="btc-lstm", version="7")
    assert found.instrument == Instrument(raw="BTC-USDT", base="BTC", quote="USDT", pair="BTC-USDT")
    assert found.probabilities == Probabilities(short=0.1, neutral=0.2, long=0.7)
    assert found.value == Value(name="return", value=1e-7)
    assert found.quantiles == {"0.05": -0.01, "0.95": 2}
    assert found.target_pct == Decimal("0.0042")
    assert found.features == {"rsi": 70.1, "volume": Decimal("123.50")}
    assert (found.confidence, found.outlier, found.idempotency_key) == (1, False, "k")


@pytest.mark.parametrize(
    "spelled",
    [{"instrument": "BTC-USDT"}, {"instrument": {"raw": "BTC-USDT"}}, {"pair": "BTC-USDT"}, {"pair": "BTCUSDT"}],
)
def test_the_instrument_may_be_a_text(spelled: dict[str, str], now: int) -> None:
    """A pair, a text or an object name the same instrument."""
    body = {name: value for name, value in BODY.items() if name != "pair"}
    assert read(body | spelled, now=now).instrument.name == "BTC-USDT"


def test_the_source_may_fix_the_instrument(now: int) -> None:
    """The instrument that a source fixes wins, and a pair that the body tells with its kind is kept."""
    fixed = Instrument(raw="ETH", base="ETH", quote="USDT", kind=Kind.SPOT, pair="ETH-USDT")
    fixing = Source(name="m", predictions=RULES, instrument=fixed)
    assert read(BODY, source=fixing, now=now).instrument.name == "ETH-USDT"
    bare = {name: value for name, value in BODY.items() if name != "pair"}
    assert read(bare, source=fixing, now=now).instrument.name == "ETH-USDT"
    assert list(faults(bare, now=now)) == ["instrument"]

    told = {"raw": "x1", "pair": "SOL-USDT", "kind": "perpetual"}
    assert read(BODY | {"instrument": told}, now=now).instrument.name == "SOL-USDT-PERP"


def test_the_only_model_need_not_be_named(now: int) -> None:
    """Where a source has one model, a prediction that names none is its; a text is a model's name."""
    bare = {name: value for name, value in BODY.items() if name != "model"}

    assert read(bare, source=source(), now=now).model == Model(name="btc-lstm")
    assert read(bare | {"model": {"version": "7"}}, source=source(), now=now).model.version == "7"
    assert read(bare | {"model": "btc-gbm"}, now=now).model == Model(name="btc-gbm")
    assert "is missing" in faults(bare, now=now)["model"].problem


def test_a_list_of_probabilities_is_named_by_the_source(now: int) -> None:
    """Positional probabilities mean what the source's classes say, and nothing where it has none."""
    listed = BODY | {"probabilities": [0.7, 0.1, 0.2]}
    three, two = source(classes=("long", "short", "neutral")), source(classes=("short", "long"))

    assert read(listed, source=three, now=now).probabilities == Probabilities(short=0.1, neutral=0.2, long=0.7)
    pair = read(BODY | {"probabilities": [0.4, 0.6]}, source=two, now=now).probabilities
    assert pair == Probabilities(short=0.4, neutral=0.0, long=0.6)
    assert "nothing says" in faults(listed, now=now)["probabilities"].problem
    assert "3 entries" in faults(listed, source=two, now=now)["probabilities"].problem
    assert list(faults(BODY | {"probabilities": [0.5, 0.5, 0.5]}, source=three, now=now)) == ["probabilities"]
    assert list(faults(BODY | {"probabilities": [1.5, "x", -1]}, source=three, now=now)) == [
        "probabilities.short",
        "probabilities.neutral",
        "probabilities.long",
    ]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"model": {"name": "eth-lstm"}}, "model.name"),
        ({"model": 7}, "model"),
        ({"pair": 7}, "instrument"),
        ({"pair": "..."}, "pair"),
        ({"pair": "x" * 300}, "instrument.raw"),
        ({"instrument": {"raw": "..."}}, "instrument.raw"),
        ({"instrument": {"raw": "BTC", "pair": "A" * 200 + "-B"}}, "instrument.pair"),
        ({"probabilities": {"short": 0.5, "long": 0.52}}, "probabilities"),
        ({"probabilities": {"short": 0.5, "long": -0.5}}, "probabilities.long"),
        ({"probabilities": {"long": 1.1}}, "probabilities.long"),
        ({"probabilities": {"long": "1"}}, "probabilities.long"),
        ({"probabilities": {"up": 1}}, "probabilities"),
        ({"horizon": 0}, "horizon"),
        ({"horizon": "1h"}, "horizon"),
        ({"target_pct": -0.1}, "target_pct"),
        ({"target_pct": 1e300}, "target_pct"),
        ({"produced_at": "2026-11-22T10:15:00"}, "produced_at"),
        ({"produced_at": "2026-11-22T10:15:01Z", "valid_until": "2026-11-22T10:15:00Z"}, "valid_until"),
        ({"valid_untill": "2026-11-22T10:16:00Z"}, "valid_untill"),
        ({"confidance": 0.5}, "confidance"),
        ({"features": {"api_key": 1}}, "features.api_key"),
        ({"features": {"rsi": "high"}}, "features.rsi"),
        ({"idempotency_key": ""}, "idempotency_key"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(wrong: dict[str, Any], where: str, now: int) -> None:
    """Each fault stands at the field that the sender wrote."""
    found = faults(BODY | wrong, now=now)

    assert list(found) == [where]
    assert found[where].problem


@pytest.mark.parametrize("name", ["token", "API_KEY", "telegram"])
def test_a_feature_that_is_named_as_a_secret_is_refused(name: str, now: int) -> None:
    """Its value is not read, and a model's number must not be lost without a word."""
    found = faults(BODY | {"features": {"rsi": 1, name: 42.5}}, now=now)

    assert [(where, fault.found) for where, fault in found.items()] == [(f"features.{name}", None)]


def test_ml_signals_need_probabilities_and_a_pair(now: int) -> None:
    """Stock bots read nothing else; what they could not read is refused, and the sender is told why."""
    bare = {name: value for name, value in BODY.items() if name not in {"pair", "probabilities"}}
    saying = source(models=RULES.models, ml_signals=True)

    assert read(BODY, source=saying, now=now).probabilities is not None
    value = bare | {"pair": "BTC-USDT", "value": {"name": "return", "value": 0.1}}
    assert read(value, now=now).probabilities is None
    found = faults(value, source=saying, now=now)
    assert (list(found), "ml_signals" in found["probabilities"].cause) == (["probabilities"], True)

    unknown = bare | {"instrument": {"raw": "X1"}, "probabilities": NAMED}
    assert read(unknown, now=now).instrument.pair is None
    found = faults(unknown, source=saying, now=now)
    assert (list(found), "ml_signals" in found["instrument"].cause) == (["instrument"], True)


def test_ml_signals_need_a_pair_that_has_a_topic(now: int) -> None:
    """What stock bots can never be told is not answered as accepted."""
    saying = source(models=RULES.models, ml_signals=True)
    odd = {name: value for name, value in BODY.items() if name != "pair"}
    odd |= {"instrument": {"raw": "xyz:TSLA-USD", "pair": "XYZ:TSLA-USD"}}

    assert read(odd, now=now).instrument.pair == "XYZ:TSLA-USD"
    assert list(faults(odd, source=saying, now=now)) == ["instrument.pair"]


def test_every_fault_is_told_at_once(now: int) -> None:
    """A sender sees all that is wrong in one answer, also what only the source knows."""
    wrong = BODY | {"model": "nobody", "probabilities": {"long": 2}, "horizon": -1, "valid_untill": "x"}
    assert set(faults(wrong, now=now)) == {"model.name", "probabilities.long", "horizon", "valid_untill"}


def test_an_unknown_model_is_told_which_there_are(now: int) -> None:
    """The refusal of a model names what was found and what is accepted."""
    fault = faults(BODY | {"model": "btc-lstm2"}, now=now)["model.name"]
    assert (fault.found, "btc-lstm, btc-gbm" in fault.cause) == ("btc-lstm2", True)


def test_a_candle_from_the_future_is_refused(now: int) -> None:
    """A candle that has not closed yet, or closes after the prediction was produced, is refused at observed_at."""
    later, just = micros_text(now + 6 * SECOND), micros_text(now + 4 * SECOND)

    assert "6.0 s from now" in faults(BODY | {"observed_at": later}, now=now)["observed_at"].problem
    assert read(BODY | {"observed_at": just}, now=now).observed_at is not None
    before = {"observed_at": micros_text(now), "produced_at": micros_text(now - 60 * SECOND)}
    assert "60.0 s after produced_at" in faults(BODY | before, now=now)["observed_at"].problem
    assert "ahead of the gateway" in faults(BODY | {"produced_at": later}, now=now)["produced_at"].problem


def expiry(document: dict[str, Any], *, source: Source = SOURCE, now: int) -> float:
    """Seconds from now to the expiry."""
    return (lasting(read(BODY | document, source=source, now=now), source=source, accepted_at=now) - now) / SECOND


def test_until_when_it_is_true(now: int) -> None:
    """``valid_until`` counts, else the candle's close and the horizon, else twice the source's interval."""
    minute_ago, in_a_minute = micros_text(now - 60 * SECOND), micros_text(now + 60 * SECOND)

    assert expiry({"valid_until": in_a_minute, "observed_at": minute_ago, "horizon": 7200}, now=now) == 60
    assert expiry({"observed_at": minute_ago, "horizon": 3600}, now=now) == 3540
    assert expiry({"observed_at": minute_ago}, now=now) == 540
    assert expiry({"produced_at": minute_ago, "horizon": 3600}, now=now) == 540
    assert expiry({"horizon": 3600}, now=now) == 600
    assert expiry({"horizon": 60}, now=now) == 60
    assert expiry({"produced_at": minute_ago, "horizon": 90}, now=now) == 30


def test_it_must_be_known_until_when_it_is_true(now: int) -> None:
    """A prediction that could be in force for ever is refused, and told what to send."""
    for document in ({}, {"horizon": 3600}, {"observed_at": micros_text(now)}):
        with pytest.raises(Refused) as refused:
            expiry(document, source=source(), now=now)
        assert (refused.value.code, refused.value.faults[0].where) == (Code.INVALID, "valid_until")
    assert expiry({"horizon": 60, "observed_at": micros_text(now)}, source=source(), now=now) == 60


@pytest.mark.parametrize(
    ("late", "where"),
    [
        ({"valid_until": 0}, "valid_until"),
        ({"observed_at": -3600, "horizon": 3600}, "observed_at"),
        ({"observed_at": -600}, "observed_at"),
        ({"produced_at": -600}, "produced_at"),
    ],
)
def test_what_is_no_longer_true_is_refused(late: dict[str, int], where: str, now: int) -> None:
    """A prediction that is over is stale, at the field that says so."""
    times = {name: micros_text(now + s * SECOND) if name != "horizon" else s for name, s in late.items()}
    with pytest.raises(Refused) as refused:
        expiry(times, now=now)
    assert (refused.value.code, refused.value.faults[0].where) == (Code.STALE, where)


@pytest.mark.parametrize(
    "far", [{"valid_until": "9999-12-31T23:59:59Z"}, {"observed_at": "2026-11-22T10:15:00Z", "horizon": 1e308}]
)
def test_nothing_is_true_for_years(far: dict[str, Any], now: int) -> None:
    """An expiry that lies more than 366 days ahead is a mistake, such as a horizon in milliseconds."""
    with pytest.raises(Refused) as refused:
        expiry(far, now=now)
    assert (refused.value.code, "366 days" in refused.value.faults[0].problem) == (Code.INVALID, True)


def test_a_text_is_no_prediction(now: int) -> None:
    """What is no object is refused."""
    with pytest.raises(Refused):
        predict("buy", source=SOURCE, accepted_at=now)


@pytest.mark.parametrize(
    ("document", "where", "cause"),
    [
        ({"probabilities": {"up": 0.7, "short": 0.3}}, "probabilities", "Not counted: 'up'"),
        ({"pair": None}, "instrument", "BTC-USDT"),
        ({"model": None}, "model", "btc-lstm, btc-gbm"),
    ],
)
def test_a_refusal_says_what_to_send_instead(document: dict[str, Any], where: str, cause: str, now: int) -> None:
    """A class by another name, no pair, and no model where there are several are the likely first mistakes."""
    assert cause in faults(BODY | document, now=now)[where].cause


def test_a_horizon_without_its_beginning_says_what_is_missing(now: int) -> None:
    """It was sent, so that nothing says until when would be a riddle."""
    endless = source(interval=None)
    found = read(BODY | {"horizon": 60}, source=endless, now=now)

    with pytest.raises(Refused, match="A horizon counts from observed_at"):
        lasting(found, source=endless, accepted_at=now)
