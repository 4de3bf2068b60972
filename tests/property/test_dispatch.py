"""What dispatch decides, for every signal and every set of handlers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.clock import skew
from bot_plugin.dispatch import MAX_SKEW, decide, expiry, wants
from bot_plugin.registration import ALERT, ANY, TRADE, Registration
from bot_plugin.signal import Signal
from schemas.alert import Alert
from schemas.fields import from_micros
from schemas.instrument import Instrument, Kind
from schemas.receipt import Stage
from schemas.topics import Mode
from schemas.trade import Action, Trade

NOW = 1_795_352_101_123_456
PAIRS = ["BTC-USDT", "ETH-USDT"]
VENUES = ["BINANCE", "BYBIT"]
SOURCES = ["a", "b"]


def instruments() -> st.SearchStrategy[Instrument]:
    return st.builds(
        Instrument,
        raw=st.just("raw"),
        pair=st.none() | st.sampled_from(PAIRS),
        venue=st.none() | st.sampled_from(VENUES),
        kind=st.sampled_from(Kind),
    )


def bodies() -> st.SearchStrategy[Trade | Alert]:
    trades = st.builds(Trade, action=st.sampled_from(Action), instrument=instruments())
    return trades | st.builds(Alert, instrument=st.none() | instruments())


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    time = NOW + draw(st.integers(-120_000_000, 20_000_000))
    source = draw(st.sampled_from(SOURCES))
    return Signal(
        id="id",
        source=source,
        mode=draw(st.sampled_from(Mode)),
        body=draw(bodies()),
        key=source,
        sequence=time,
        time=from_micros(time),
        expires_at=from_micros(time + draw(st.integers(1, 120_000_000))),
        received_at=from_micros(NOW),
        deadline=0,
        now=lambda: NOW,
        monotonic=lambda: -1,
    )


def registrations() -> st.SearchStrategy[list[Registration]]:
    one = st.builds(
        Registration,
        name=st.sampled_from(["act", "note", "log"]),
        body=st.sampled_from([TRADE, ALERT]),
        source=st.sampled_from([ANY, *SOURCES]),
        target=st.just(print),
        pair=st.none() | st.sampled_from(PAIRS),
        kind=st.none() | st.sampled_from(Kind),
        venue=st.none() | st.sampled_from([*VENUES, "binance"]),
        mode=st.none() | st.sampled_from(Mode),
    )
    return st.lists(one, max_size=4)


modes = st.sets(st.sampled_from(Mode), min_size=1)


@given(signals(), registrations(), modes)
def test_a_signal_is_run_or_there_is_a_reason_and_never_both(
    signal: Signal, handlers: list[Registration], modes: set[Mode]
) -> None:
    decision = decide(signal, now=NOW, registrations=handlers, modes=modes)

    assert bool(decision.run) is (decision.verdict is None)
    if decision.verdict is not None:
        assert decision.verdict.stage in {Stage.REFUSED, Stage.EXPIRED}
        assert decision.verdict.reason


@given(signals(), registrations(), modes)
def test_what_is_run_is_true_of_the_right_mode_and_from_no_future(
    signal: Signal, handlers: list[Registration], modes: set[Mode]
) -> None:
    if decide(signal, now=NOW, registrations=handlers, modes=modes).run:
        assert signal.expires_at > from_micros(NOW)
        assert signal.time <= from_micros(NOW + MAX_SKEW)
        assert signal.mode in modes


@given(signals(), registrations(), modes)
def test_every_handler_that_wants_a_fit_signal_runs_it_once_however_often_it_is_registered(
    signal: Signal, handlers: list[Registration], modes: set[Mode]
) -> None:
    decision = decide(signal, now=NOW, registrations=handlers, modes=modes)

    if decision.run or (decision.verdict and "no handler" in decision.verdict.reason):
        wanting = [handler for handler in handlers if wants(handler, signal)]
        assert [handler.name for handler in decision.run] == list(dict.fromkeys(handler.name for handler in wanting))
        assert set(decision.run) <= set(wanting)


@given(signals(), registrations())
def test_a_pair_without_a_kind_never_selects_a_derivative(signal: Signal, handlers: list[Registration]) -> None:
    instrument = signal.instrument
    for handler in handlers:
        if handler.pair and handler.kind is None and instrument and wants(handler, signal):
            assert instrument.kind not in {Kind.PERPETUAL, Kind.FUTURE}


@given(signals(), registrations(), modes, st.integers(0, 10**9))
def test_what_expired_stays_expired(signal: Signal, handlers: list[Registration], modes: set[Mode], later: int) -> None:
    first = decide(signal, now=NOW, registrations=handlers, modes=modes)
    if first.verdict is not None and first.verdict.stage is Stage.EXPIRED:
        second = decide(signal, now=NOW + later, registrations=handlers, modes=modes)
        assert second.verdict is not None
        assert second.verdict.stage is Stage.EXPIRED


@given(signals(), st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), st.integers(-(10**8), 10**8))
def test_a_signal_is_late_when_any_clock_says_so(signal: Signal, step: int, monotonic: int, offset: int) -> None:
    late = expiry(signal, now=NOW + step, monotonic=monotonic, offset=offset)
    clocks = from_micros(NOW + step), from_micros(NOW + step - offset) if offset < 0 else signal.time

    assert (late is not None) is (max(clocks) >= signal.expires_at or monotonic >= signal.deadline)


@given(signals(), registrations(), modes, st.integers(-(10**9), 10**9))
def test_a_notable_difference_of_clocks_is_named_wherever_a_clock_decided(
    signal: Signal, handlers: list[Registration], modes: set[Mode], offset: int
) -> None:
    verdict = decide(signal, now=NOW, registrations=handlers, modes=modes, offset=offset).verdict

    if verdict is not None and (verdict.stage is Stage.EXPIRED or verdict.reason.startswith("clock")):
        assert (skew(offset) is None) or str(skew(offset)) in verdict.reason
