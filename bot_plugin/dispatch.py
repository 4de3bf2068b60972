"""Decides, and only decides, what becomes of a signal: which handlers run it, or why none does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot_plugin.clock import skew
from bot_plugin.registration import ALERT, ANY, PREDICTION, TRADE, Registration
from bot_plugin.signal import Signal
from schemas.fields import instant_text, to_micros
from schemas.instrument import Instrument, Kind
from schemas.prediction import Prediction
from schemas.receipt import Stage
from schemas.topics import UNKNOWN_INSTRUMENT, Mode
from schemas.trade import Trade

MAX_SKEW = 5_000_000
"""Microseconds that a signal's time may be ahead of the bot's clock."""

_DERIVATIVES = frozenset({Kind.PERPETUAL, Kind.FUTURE})

_BODIES: dict[type, str] = {Trade: TRADE, Prediction: PREDICTION}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a signal is not run: the stage of its receipt, and the reason for a person."""

    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The handlers to run, each once, in the order of their registration; or none, and why not."""

    run: tuple[Registration, ...] = ()
    verdict: Verdict | None = None
    fit: bool = True
    """Whether it is true, and of a mode that the bot runs, whoever wants it."""


def decide(
    signal: Signal, *, now: int, registrations: Sequence[Registration], modes: Collection[Mode], offset: int = 0
) -> Decision:
    """Decide about a signal: pure, for the same arguments the same answer.

    Args:
        signal: as it arrived.
        now: the bot's clock, microseconds since the epoch.
        registrations: the handlers that there are.
        modes: what the bot runs.
        offset: how far the bot's clock is ahead of the gateway's, as ``GatewayClock.offset`` says.
    """
    verdict = _unfit(signal, now=now, modes=modes, offset=offset)
    if verdict is not None:
        return Decision(verdict=verdict, fit=False)
    run = {registration.name: registration for registration in registrations if wants(registration, signal)}
    if run:
        return Decision(run=tuple(run.values()))
    reasons = {left_out(registration, signal) for registration in registrations if addressed(registration, signal)}
    words = "; ".join([describe(signal), *sorted(filter(None, reasons))])
    return Decision(verdict=Verdict(Stage.REFUSED, f"no handler matches {words}"))


def _unfit(signal: Signal, *, now: int, modes: Collection[Mode], offset: int) -> Verdict | None:
    if signal.mode not in modes:
        known = ", ".join(sorted(modes)) or "none"
        return Verdict(Stage.REFUSED, f"mode: the signal is for {signal.mode}, this bot runs {known}")
    ahead = to_micros(signal.time) - now
    if ahead > MAX_SKEW:
        reason = (
            f"clock: the signal's time is {ahead / 1e6:.1f} s ahead of this bot's clock; set the clock of one of them"
        )
        return Verdict(Stage.REFUSED, _with_skew(reason, offset))
    return expiry(signal, now=now, offset=offset)


def expiry(signal: Signal, *, now: int, offset: int = 0, monotonic: int | None = None) -> Verdict | None:
    """Say that a signal is past its expiry, by any clock (microseconds); None while it is true."""
    late = now - min(0, offset) - to_micros(signal.expires_at)
    clock = "by this bot's clock" if offset >= 0 else "by the gateway's clock"
    if late < 0 and monotonic is not None:
        late = monotonic - signal.deadline
        clock = "by the time since it came, or by the broker's count: this bot's clock is behind or was set back"
    if late < 0:
        return None
    reason = f"expired {late / 1e6:.3f} s ago, at {instant_text(signal.expires_at)}, {clock}"
    return Verdict(Stage.EXPIRED, _with_skew(reason, offset))


def _with_skew(reason: str, offset: int) -> str:
    return reason if (wrong := skew(offset)) is None else f"{reason} ({wrong})"


def wants(registration: Registration, signal: Signal) -> bool:
    """Whether a handler asked for this signal."""
    return addressed(registration, signal) and left_out(registration, signal) is None


def addressed(registration: Registration, signal: Signal) -> bool:
    """Whether a handler asked for signals of this source, instrument, mode and model, whatever they say."""
    return (
        registration.body == _body(signal)
        and registration.source in {ANY, signal.source}
        and registration.mode in {None, signal.mode}
        and registration.test in {None, signal.mode is Mode.TEST}
        and registration.instrument in {None, _name(signal.instrument)}
        and (registration.model is None or (signal.model is not None and signal.model.name == registration.model))
        and _selects(registration, signal.instrument)
    )


def left_out(registration: Registration, signal: Signal) -> str | None:
    """Why a handler leaves a prediction out that is addressed to it; None where it does not."""
    if signal.outlier and not registration.outliers:
        return "it is an outlier"
    least, confidence = registration.minimum_confidence, signal.confidence
    if least is None or (confidence is not None and confidence >= least):
        return None
    return "its confidence is not known" if confidence is None else f"its confidence {confidence:g} is below {least:g}"


def _body(signal: Signal) -> str:
    return _BODIES.get(type(signal.body), ALERT)


def _name(instrument: Instrument | None) -> str:
    return UNKNOWN_INSTRUMENT if instrument is None else instrument.name


def _selects(registration: Registration, instrument: Instrument | None) -> bool:
    wanted = (registration.pair, registration.kind, registration.venue)
    if instrument is None:
        return wanted == (None, None, None)
    if registration.kind is not None and instrument.kind is not registration.kind:
        return False
    if registration.venue is not None and (instrument.venue or "").upper() != registration.venue.upper():
        return False
    if registration.pair is None:
        return True
    return registration.pair == instrument.pair and (
        registration.kind is not None or instrument.kind not in _DERIVATIVES
    )


def describe(signal: Signal) -> str:
    """A signal in a few words: ``trade of btc-breakout for BTC-USDT-PERP (perpetual, BINANCE)``."""
    instrument = signal.instrument
    body = _body(signal) if signal.model is None else f"{_body(signal)} of {signal.model!s:.80}"
    if instrument is None:
        return f"{body} of {signal.source}"
    about = ", ".join(word for word in (instrument.kind, instrument.venue) if word)
    return f"{body} of {signal.source} for {instrument.name[:80]} ({about})"
