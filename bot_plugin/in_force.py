"""The predictions that are in force, asked from any thread; and the watches over sources that may fall silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from bot_plugin.dispatch import addressed, left_out
from bot_plugin.errors import ListenerEnded
from bot_plugin.registration import PREDICTION, Registration, nobody
from bot_plugin.signal import Signal
from schemas.fields import to_micros
from schemas.instrument import Kind

MOST = 10_000
"""Predictions that are kept: the newest of each source, mode, instrument and model."""

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """Nothing is in force any more: what a strategy is told, so that it can go flat.

    Args:
        source: the source's name; ``*`` where the watch is over every source and none said anything.
        pair: as Hummingbot spells it; None where it is not known.
        reason: why, for a person.
        last: the newest prediction, which does not count any more; None where none came since the start.
    """

    source: str
    pair: str | None
    reason: str
    last: Signal | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watch:
    """Whom to tell when nothing is in force of what a registration asks for.

    Args:
        wanted: which predictions count.
        callback: is told.
        interval: seconds within which the next prediction is due; None where only the expiry counts.
    """

    wanted: Registration
    callback: Callable[[Stale], Any]
    interval: float | None = None

    def why_not(self, signal: Signal) -> str | None:
        """Why the newest prediction does not count any more; None while it is in force."""
        if signal.remaining <= 0:
            return "the prediction ran out"
        if self.interval is not None and _age(signal) >= self.interval:
            return f"the source is silent for more than {self.interval:g} s"
        return (
            None if (why := left_out(self.wanted, signal)) is None else f"the newest prediction does not count: {why}"
        )


class Predictions:
    """The newest prediction of each source, instrument and model, of those that this bot's handlers listen to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest: dict[_Key, Signal] = {}
        self._ended: tuple[BaseException | None] | None = None
        self.watches: tuple[Watch, ...] = ()

    def open(self, known: Predictions) -> None:
        """A run begins, or goes on with these handlers: what it knows is known here."""
        newest = known.snapshot()
        with self._lock:
            self._newest, self._ended = newest, None

    def close(self, cause: BaseException | None) -> None:
        """The run ended."""
        with self._lock:
            self._newest, self._ended = {}, (cause,)

    def see(self, signal: Signal) -> None:
        """Take in a prediction; one that is older than what is there changes nothing."""
        if signal.instrument is None or signal.model is None:
            return
        key = signal.source, str(signal.mode), signal.instrument.name, signal.model.name
        with self._lock:
            held = self._newest.get(key)
            if held is not None and held.sequence >= signal.sequence:
                return
            self._newest.pop(key, None)
            self._newest[key] = signal
            while len(self._newest) > MOST:
                del self._newest[next(iter(self._newest))]

    def snapshot(self) -> dict[_Key, Signal]:
        """What is known now."""
        with self._lock:
            return dict(self._newest)

    def newest(self, wanted: Registration) -> Iterator[Signal]:
        """The newest prediction that a registration addresses, whatever it says: one for each instrument."""
        found: dict[tuple[str, ...], Signal] = {}
        for key, signal in self.snapshot().items():
            if addressed(wanted, signal) and (key[:3] not in found or found[key[:3]].sequence < signal.sequence):
                found[key[:3]] = signal
        yield from found.values()

    def latest(self, source: str, pair: str | None = None, **filters: Any) -> Signal | None:
        """The prediction in force, or None once it has expired; from any thread.

        A newer prediction that the filters leave out ends the one before it, as a silence past the interval of an
        ``on_stale`` of the same handlers does.

        Args:
            source: the source's name, or ``*``.
            pair: as Hummingbot spells it; without ``kind`` it never selects a derivative.
            **filters: as for ``on_prediction``.

        Raises:
            ListenerEnded: the listener stopped, or what ended it is the cause.
            ValueError: an argument that could never match.
        """
        if self._ended is not None:
            (cause,) = self._ended
            raise ListenerEnded(cause) from cause
        wanted = asked(source, nobody, pair=pair, **filters)
        newest = max(self.newest(wanted), key=lambda signal: signal.sequence, default=None)
        if newest is None or newest.remaining <= 0 or left_out(wanted, newest) is not None:
            return None
        silent = (each for each in self.watches if each.interval is not None and addressed(each.wanted, newest))
        return None if any(_age(newest) >= (each.interval or 0) for each in silent) else newest


def asked(source: str, target: Callable[..., Any], *, name: str = "predictions", **filters: Any) -> Registration:
    """What is asked of the predictions of a source.

    Raises:
        ValueError: an argument that could never match.
    """
    if filters.get("kind") is not None:
        filters["kind"] = Kind(filters["kind"])
    return Registration(name=name, body=PREDICTION, source=source, target=target, **filters)


def _age(signal: Signal) -> float:
    """Seconds since the gateway accepted it, by the clock that nobody sets."""
    lifetime = to_micros(signal.expires_at) - to_micros(signal.time)
    return (signal.monotonic() - signal.deadline + lifetime) / 1_000_000
