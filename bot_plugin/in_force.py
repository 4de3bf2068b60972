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
"""Predictions that are kept: the newest of each source, mode, instrument and series."""

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest prediction of its source, mode, instrument and series.

    Args:
        ended: why it counts no more, though it may not have run out: it was withdrawn, or refused. None where it does.
    """

    signal: Signal
    ended: str | None = None


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

    def why_not(self, newest: Newest) -> str | None:
        """Why the newest prediction does not count any more; None while it is in force."""
        signal = newest.signal
        if signal.remaining <= 0:
            return "the prediction ran out"
        if newest.ended is not None:
            return newest.ended
        if self.interval is not None and _age(signal) >= self.interval:
            return f"the source is silent for more than {self.interval:g} s"
        return (
            None if (why := left_out(self.wanted, signal)) is None else f"the newest prediction does not count: {why}"
        )


class Heard:
    """The newest prediction of each source, mode, instrument and series, of those that came; from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._newest: dict[_Key, Newest] = {}
        self._of_pair: dict[str | None, set[_Key]] = {}

    def see(self, signal: Signal, *, ended: str | None = None) -> bool:
        """Take in a prediction; one that is not newer than what is there changes nothing, and the answer is False.

        Args:
            signal: ends the one before it, whether it counts itself or not.
            ended: why it does not.
        """
        if signal.instrument is None or (series := series_of(signal)) is None:
            return False
        key = signal.source, str(signal.mode), signal.instrument.name, series
        with self._lock:
            held = self._newest.get(key)
            if held is not None and held.signal.sequence >= signal.sequence:
                return False
            self._drop(key)
            self._newest[key] = Newest(signal, ended)
            self._of_pair.setdefault(signal.pair, set()).add(key)
            if len(self._newest) > MOST:
                self._drop(next(iter(self._newest)))
        return True

    def end(self, id_: str, reason: str) -> None:
        """A prediction counts no more, and those before it stay ended."""
        with self._lock:
            for key, held in self._newest.items():
                if held.signal.id == id_:
                    self._newest[key] = Newest(held.signal, reason)
                    return

    def newest(self, wanted: Registration) -> Iterator[Newest]:
        """The newest prediction that a registration addresses, whatever it says: one for each instrument."""
        found: dict[tuple[str, ...], Newest] = {}
        with self._lock:
            keys = self._newest if wanted.pair is None else self._of_pair.get(wanted.pair, ())
            held = [(key[:3], self._newest[key]) for key in keys]
        for place, each in held:
            sequence = each.signal.sequence
            if addressed(wanted, each.signal) and (place not in found or found[place].signal.sequence < sequence):
                found[place] = each
        yield from found.values()

    def _drop(self, key: _Key) -> None:
        if (gone := self._newest.pop(key, None)) is not None:
            of_pair = self._of_pair[gone.signal.pair]
            of_pair.discard(key)
            if not of_pair:
                del self._of_pair[gone.signal.pair]


class Predictions:
    """What is in force of the predictions that this bot's handlers listen to."""

    def __init__(self) -> None:
        self._heard = Heard()
        self._ended: tuple[BaseException | None] | None = None
        self.watches: tuple[Watch, ...] = ()

    def open(self, heard: Heard) -> None:
        """A run begins, or goes on with these handlers: what it hears is known here."""
        self._heard, self._ended = heard, None

    def close(self, cause: BaseException | None) -> None:
        """The run ended."""
        self._heard, self._ended = Heard(), (cause,)

    def latest(self, source: str, pair: str | None = None, **filters: Any) -> Signal | None:
        """The prediction in force, or None once it has expired; from any thread.

        A newer prediction that the filters leave out ends the one before it, as its withdrawal does, and a silence past
        the interval of an ``on_stale`` of the same handlers.

        Args:
            source: the source's name, or ``*``.
            pair: as Hummingbot spells it; without ``kind`` it never selects a derivative.
            **filters: as for ``on_prediction``.

        Raises:
            ListenerEnded: the listener stopped, or what ended it is the cause.
            ValueError: an argument that could never match.
        """
        if (ended := self._ended) is not None:
            raise ListenerEnded(ended[0]) from ended[0]
        wanted = asked(source, nobody, pair=pair, **filters)
        newest = max(self._heard.newest(wanted), key=lambda each: each.signal.sequence, default=None)
        if newest is None or Watch(wanted=wanted, callback=nobody).why_not(newest) is not None:
            return None
        signal = newest.signal
        silent = (each for each in self.watches if each.interval is not None and addressed(each.wanted, signal))
        return None if any(_age(signal) >= (each.interval or 0) for each in silent) else signal


def asked(source: str, target: Callable[..., Any], *, name: str = "predictions", **filters: Any) -> Registration:
    """What is asked of the predictions of a source.

    Raises:
        ValueError: an argument that could never match.
    """
    if filters.get("kind") is not None:
        filters["kind"] = Kind(filters["kind"])
    return Registration(name=name, body=PREDICTION, source=source, target=target, **filters)


def series_of(signal: Signal) -> str | None:
    """Which of its topic's predictions follow one another: those of one model for one venue; None for no prediction."""
    if signal.model is None or signal.instrument is None:
        return None
    return f"{signal.model.name}@{(signal.instrument.venue or '').upper()}"


def _age(signal: Signal) -> float:
    """Seconds since the gateway accepted it, by the clock that says so first: a machine may sleep, or be set."""
    return (to_micros(signal.expires_at) - to_micros(signal.time)) / 1_000_000 - signal.remaining
