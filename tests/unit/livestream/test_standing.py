"""What is in force, decided without a clock."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.livestream.standing import Followed, Standings, standing
from schemas.fields import from_micros
from schemas.instrument import Instrument, Kind
from schemas.prediction import Model, Prediction, Probabilities, Value

START = 1_795_352_000_000_000
SECOND = 1_000_000
INSTRUMENT = Instrument(
    raw="BTC-USDT", venue=None, base="BTC", quote="USDT", settle=None, kind=Kind.SPOT, pair="BTC-USDT", ccxt="BTC/USDT"
)
LONG = Prediction(
    model=Model(name="m"),
    instrument=INSTRUMENT,
    probabilities=Probabilities(short=0.1, neutral=0.2, long=0.7),
    target_pct=Decimal("0.0042"),
)


OTHER = replace(LONG, model=Model(name="other"))


def candle(seconds, prediction=LONG):
    return replace(prediction, observed_at=from_micros(START + seconds * SECOND))


def produced(seconds, prediction=LONG):
    return replace(prediction, produced_at=from_micros(START + seconds * SECOND))


def in_force(*predictions, order=None):
    """What is said after predictions that were accepted in this order, and are told of in ``order``."""
    standings = Standings()
    for position in order or range(1, len(predictions) + 1):
        standings.take("t", stands(predictions[position - 1], id_=str(position), position=position))
    return standings.word("t", START).id


def stands(prediction=LONG, *, id_="one", position=1, ttl=60, interval=None):
    source = Followed(interval=interval)
    end = START + ttl * SECOND
    return standing(prediction, id_=id_, position=position, accepted_at=START, expires_at=end, source=source)


def said(word):
    return json.loads(word.payload)["probabilities"]


def test_a_prediction_is_in_force_until_the_moment_it_expires():
    """At its expiry it is true no more."""
    assert said(stands().at(START + 60 * SECOND - 1)) == [0.1, 0.2, 0.7]
    assert said(stands().at(START + 60 * SECOND)) == [0.0, 1.0, 0.0]
    assert stands().at(START + 60 * SECOND).id != "one"


@pytest.mark.parametrize(("interval", "silent"), [(5, 7), (60, 66)])
def test_a_source_is_silent_past_its_interval_and_a_little_more(interval, silent):
    """A prediction that comes a little late makes no neutral word between two."""
    standing_ = stands(ttl=3600, interval=interval)
    assert not standing_.at(START + silent * SECOND - 1).why
    assert standing_.at(START + silent * SECOND).why == "the source is silent"


def test_an_outlier_is_neutral():
    """Its reader cannot see that it is one."""
    assert said(stands(replace(LONG, outlier=True)).at(START)) == [0.0, 1.0, 0.0]


def test_what_has_no_probabilities_makes_no_standing():
    """A value says nothing of a direction."""
    assert stands(replace(LONG, probabilities=None, value=Value(name="return", value=0.1))) is None


def test_the_last_one_accepted_wins_in_whichever_order_they_come():
    """Commits are told of by concurrent requests."""
    standings = Standings()
    assert standings.take("t", stands(id_="two", position=2))
    assert not standings.take("t", stands(id_="one", position=1))
    assert standings.word("t", START).id == "two"


def test_a_withdrawn_prediction_is_neutral_at_once():
    """An operator stopped it."""
    standings = Standings()
    standings.know("t", "BTC-USDT", now=START)
    standings.take("t", stands())
    standings.withdraw("one", now=START + 1)
    word = standings.word("t", START + 2)
    assert (said(word), word.why) == ([0.0, 1.0, 0.0], "the prediction was withdrawn")


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        ((candle(-60), candle(-120)), "1"),
        ((candle(-120), candle(-60)), "2"),
        ((candle(-60), candle(-60)), "2"),
        ((produced(-1), produced(-2)), "1"),
        ((candle(-60, produced(-2)), candle(-60, produced(-1))), "2"),
        ((candle(-60, produced(-1)), candle(-60, produced(-2))), "1"),
        ((candle(-60, produced(-2)), candle(-120, produced(-1))), "1"),
        ((candle(-60), produced(-90)), "2"),
        ((candle(-60), LONG), "2"),
        ((candle(-60), candle(-120, OTHER)), "2"),
        ((candle(-60), OTHER, candle(-120)), "2"),
        ((candle(-60), OTHER, candle(-30)), "3"),
    ],
)
def test_of_one_model_the_later_candle_is_in_force(predictions, said):
    """A retry that comes late brings no older candle back; between models the last one accepted counts."""
    assert in_force(*predictions) == said
    assert in_force(*predictions, order=range(len(predictions), 0, -1)) == said


def test_a_late_retry_does_not_bring_a_pair_back_whose_prediction_was_withdrawn_or_expired():
    """It is neutral until a newer candle comes."""
    standings = Standings()
    standings.take("t", stands(candle(-60), id_="one", position=1, ttl=10))
    standings.withdraw("one", now=START)
    assert not standings.take("t", stands(candle(-120), id_="two", position=2))
    word = standings.word("t", START + 1)
    assert word.why == "the prediction was withdrawn"
    assert standings.take("t", stands(candle(-30), id_="three", position=3))
    word = standings.word("t", START + 1)
    assert (word.id, word.why) == ("three", "")
