"""Until when a signal is true, and whether it still is."""

from datetime import timedelta

import pytest

from gateway.errors import Code, Refused
from gateway.intake import Source, Ttl, causationid, expiry, guard, valid_until
from schemas.alert import Alert
from schemas.fields import from_micros, instant
from schemas.instrument import Instrument
from schemas.trade import Action, Effect, Trade

SECOND = 1_000_000
SOURCE = Source(name="demo", ttl=Ttl(open=30, reduce=900, alert=300), max_age=60)


def trade(effect, fired_at=None):
    return Trade(action=Action.BUY, instrument=Instrument(raw="X"), effect=effect, fired_at=fired_at)


@pytest.mark.parametrize(
    ("signal", "seconds"),
    [(trade(Effect.OPEN), 30), (trade(Effect.UNKNOWN), 30), (trade(Effect.REDUCE), 900), (Alert(message="x"), 300)],
)
def test_a_signal_is_true_as_long_as_its_effect_allows(signal, seconds, now):
    assert guard(signal, source=SOURCE, accepted_at=now) == now + seconds * SECOND


@pytest.mark.parametrize(("ago", "base"), [(10, -10), (60, -60), (61, 0), (-10, 10), (-3600, 0)])
def test_the_time_it_was_fired_is_the_base_within_a_minute_of_acceptance(ago, base, now):
    signal = trade(Effect.REDUCE, from_micros(now - ago * SECOND))
    assert guard(signal, source=SOURCE, accepted_at=now) == now + (base + 900) * SECOND


@pytest.mark.parametrize("effect", [Effect.OPEN, Effect.UNKNOWN])
def test_an_open_that_was_fired_too_long_ago_is_refused_with_its_age(effect, now):
    with pytest.raises(Refused) as refused:
        guard(trade(effect, from_micros(now - 61 * SECOND)), source=SOURCE, accepted_at=now)
    assert refused.value.code is Code.STALE
    assert "61.0 s ago" in refused.value.faults[0].problem


def test_a_reduce_is_never_too_old(now):
    assert guard(trade(Effect.REDUCE, instant("2020-01-01T00:00:00Z")), source=SOURCE, accepted_at=now) > now


def test_valid_until_ends_it_earlier_and_never_later(now):
    early, late = (from_micros(now) + timedelta(seconds=s) for s in (5, 5000))
    assert expiry(trade(Effect.OPEN), source=SOURCE, accepted_at=now, valid_until=early) == now + 5 * SECOND
    assert expiry(trade(Effect.OPEN), source=SOURCE, accepted_at=now, valid_until=late) == now + 30 * SECOND


def test_what_is_past_its_valid_until_is_refused(now):
    with pytest.raises(Refused) as refused:
        guard(trade(Effect.REDUCE), source=SOURCE, accepted_at=now, valid_until=from_micros(now))
    assert refused.value.code is Code.STALE


def test_only_a_canonical_body_says_until_when_it_is_valid():
    until = "2026-11-22T10:20:00Z"
    assert valid_until({"action": "buy", "instrument": {"raw": "X"}, "valid_until": until}) == instant(until)
    assert valid_until({"action": "buy", "ticker": "X", "valid_until": until}) is None
    assert valid_until("text") is None
    with pytest.raises(Refused):
        valid_until({"action": "buy", "instrument": {"raw": "X"}, "valid_until": "soon"})


def test_only_a_canonical_body_says_what_it_was_made_of():
    id_ = "0193a6c2-0000-7000-8000-000000000001"
    body = {"action": "buy", "instrument": {"raw": "X"}}
    assert causationid({**body, "causationid": id_}) == id_
    assert causationid({"action": "buy", "ticker": "X", "causationid": id_}) is None
    assert (causationid(body), causationid("text")) == (None, None)


@pytest.mark.parametrize("wrong", ["", "a b", "x" * 65, "\n", "é", 7, {}, [], True])
def test_what_is_no_id_is_not_what_a_trade_was_made_of(wrong):
    with pytest.raises(Refused) as refused:
        causationid({"action": "buy", "instrument": {"raw": "X"}, "causationid": wrong})
    assert refused.value.code is Code.INVALID
