"""Station: until when a signal is true, and whether it still is. Times are microseconds since the epoch."""

from __future__ import annotations

from datetime import datetime

from gateway.errors import Code, Refused
from gateway.intake.source import Source
from schemas.alert import Alert
from schemas.errors import Fault
from schemas.fields import instant_text, micros_text, to_micros
from schemas.prediction import Prediction
from schemas.trade import Effect, Trade

_SECOND = 1_000_000
_LONGEST = 366 * 86_400 * _SECOND
_FAR = 1e10
"""Seconds that are too many in any case."""

_NEAR = 60 * _SECOND
"""How far ``fired_at`` may lie from acceptance to be the base of the expiry."""


def guard(signal: Trade | Alert, *, source: Source, accepted_at: int, valid_until: datetime | None = None) -> int:
    """Return the signal's expiry, or refuse it: an open that was fired too long ago, or anything past ``valid_until``.

    Raises:
        Refused: STALE, with the age in seconds.
    """
    if valid_until is not None and to_micros(valid_until) <= accepted_at:
        raise _stale("valid_until", f"the signal was valid until {instant_text(valid_until)}", "It came too late.")
    if isinstance(signal, Trade) and signal.effect is not Effect.REDUCE and signal.fired_at is not None:
        age = (accepted_at - to_micros(signal.fired_at)) / _SECOND
        if age > source.max_age:
            problem = f"the signal was fired {age:.1f} s ago; this source takes opens of at most {source.max_age:g} s"
            cause = "Send {{timenow}}: {{time}} is the bar's start. Or an old alert came again, or a clock is wrong."
            raise _stale("fired_at", problem, cause, found=instant_text(signal.fired_at))
    return expiry(signal, source=source, accepted_at=accepted_at, valid_until=valid_until)


def lasting(prediction: Prediction, *, source: Source, accepted_at: int) -> int:
    """Return a prediction's expiry: ``valid_until``, else ``observed_at`` + horizon, else twice the source's interval.

    A horizon that does not say from when shortens the last of them.

    Raises:
        Refused: INVALID where none of them is known, or it lies more than 366 days ahead; STALE where it is over.
    """
    where, end = _end(prediction, source, accepted_at)
    if end <= accepted_at:
        raise _stale(where, f"the prediction was true until {micros_text(max(end, 0))}", "It came too late.")
    if end - accepted_at > _LONGEST:
        problem = "the prediction would be true for more than 366 days"
        raise Refused(Code.INVALID, Fault(where=where, problem=problem, cause="Send seconds, and times that are near."))
    return end


def _end(prediction: Prediction, source: Source, accepted_at: int) -> tuple[str, int]:
    """When a prediction ends, and the field that says so."""
    if prediction.valid_until is not None:
        return "valid_until", to_micros(prediction.valid_until)
    seen, horizon = prediction.observed_at, prediction.horizon
    if seen is not None and horizon is not None:
        return "observed_at", to_micros(seen) + round(min(horizon, _FAR) * _SECOND)
    interval = source.predictions.interval if source.predictions else None
    if interval is None:
        cause = "Send it, or observed_at and horizon, or give the source an interval in the configuration."
        if horizon is not None:
            cause = "A horizon counts from observed_at: send that too. Or send valid_until."
        raise Refused(
            Code.INVALID, Fault(where="valid_until", problem="nothing says until when it is true", cause=cause)
        )
    said = seen or prediction.produced_at
    where = "observed_at" if seen else "produced_at" if said else ""
    lasts = 2 * interval if horizon is None else min(2 * interval, horizon)
    return where, (to_micros(said) if said else accepted_at) + round(lasts * _SECOND)


def _stale(where: str, problem: str, cause: str, found: str | None = None) -> Refused:
    return Refused(Code.STALE, Fault(where=where, problem=problem, found=found, cause=cause))


def expiry(signal: Trade | Alert, *, source: Source, accepted_at: int, valid_until: datetime | None = None) -> int:
    """Return the earlier of ``valid_until`` and base + ttl.

    The base is ``fired_at`` where it lies within 60 s of acceptance, else acceptance.
    """
    base = accepted_at
    if signal.fired_at is not None:
        fired_at = to_micros(signal.fired_at)
        base = fired_at if abs(accepted_at - fired_at) <= _NEAR else accepted_at
    end = base + round(_ttl(signal, source) * _SECOND)
    return end if valid_until is None else min(end, to_micros(valid_until))


def _ttl(signal: Trade | Alert, source: Source) -> float:
    if isinstance(signal, Alert):
        return source.ttl.alert
    return source.ttl.reduce if signal.effect is Effect.REDUCE else source.ttl.open
