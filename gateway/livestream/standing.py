"""The standing of each pair: its last prediction, until when that is in force, and what follows it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schemas.fields import micros_text, to_micros
from schemas.prediction import Prediction, Probabilities

NEUTRAL = Probabilities(neutral=1.0)

_GRACE = 0.1
_LEAST_GRACE = 2.0
"""The part of an interval, and the seconds at least, by which a prediction may come later than the interval says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A source whose predictions are said.

    Args:
        interval: seconds between two predictions of one pair; None where that is not known.
        pairs: those that are known to be predicted before anything was.
    """

    interval: float | None = None
    pairs: tuple[str, ...] = ()

    def silent_at(self, accepted_at: int) -> int | None:
        """When the source counts as silent, after a prediction: microseconds since the epoch."""
        if self.interval is None:
            return None
        return accepted_at + int((self.interval + max(_LEAST_GRACE, _GRACE * self.interval)) * 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is said of a pair.

    Args:
        id: the prediction's; of a neutral word one that no prediction has.
        at: since when it is so, microseconds since the epoch.
        why: why it is neutral; empty where a prediction is in force.
    """

    id: str
    pair: str
    at: int
    probabilities: Probabilities = NEUTRAL
    target_pct: float | None = None
    why: str = ""

    @property
    def payload(self) -> bytes:
        """As ``ai_livestream`` reads it: probabilities of short, neutral and long, in this order."""
        said = self.probabilities
        document: dict[str, Any] = {
            "id": self.id,
            "timestamp": micros_text(self.at),
            "trading_pair": self.pair,
            "probabilities": [said.short, said.neutral, said.long],
        }
        if self.target_pct is not None:
            document["target_pct"] = self.target_pct
        return json.dumps(document, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The last prediction of a pair. Times are microseconds since the epoch.

    Args:
        position: its place in the order of acceptance.
        model: who predicts; empty where nothing was predicted.
        word: what is said while it is in force.
        expires_at: when it stops being true.
        silent_at: when its source counts as silent unless another one comes; None for never.
        withdrawn_at: when an operator withdrew it; None where nobody did.
        observed_at: the close of the last candle that the model saw; None where the sender did not say.
        produced_at: when the model said it, likewise.
        zero: what the clock showed when the timer was at 0, as told at its taking: a clock that is set back later
            keeps nothing in force.
    """

    position: int
    word: Word
    model: str = ""
    expires_at: int
    silent_at: int | None = None
    withdrawn_at: int | None = None
    observed_at: int | None = None
    produced_at: int | None = None
    zero: int = 0

    def later_than(self, other: Standing) -> bool:
        """Whether it follows another one of its model: by its candle, else by when it was said, else as accepted.

        A pipeline that sends an older candle again, late, does not bring it back.
        """
        for mine, others in ((self.observed_at, other.observed_at), (self.produced_at, other.produced_at)):
            if mine is not None and others is not None and mine != others:
                return mine > others
        return self.position > other.position

    def at(self, now: int, *, timer: int = 0) -> Word:
        """What is said at a time, by the clock and by a timer that is never set; the later one counts."""
        now = max(now, self.zero + timer)
        if self.word.why:
            return self.word
        if self.withdrawn_at is not None:
            return self._neutral(self.withdrawn_at, "the prediction was withdrawn")
        if self.silent_at is not None and self.silent_at <= min(now, self.expires_at):
            return self._neutral(self.silent_at, "the source is silent")
        if now >= self.expires_at:
            return self._neutral(self.expires_at, "the prediction expired")
        return self.word

    def _neutral(self, at: int, why: str) -> Word:
        return Word(id=f"{self.word.id}.neutral", pair=self.word.pair, at=at, why=why)


def standing(
    prediction: Prediction,
    *,
    id_: str,
    position: int,
    accepted_at: int,
    expires_at: int,
    source: Followed,
    zero: int = 0,
) -> Standing | None:
    """What a prediction makes of its pair; None where it has no pair or no probabilities.

    An outlier is neutral: whoever reads the word cannot see that the model does not know what it says.
    """
    pair = prediction.instrument.pair
    observed_at, produced_at = _micros(prediction.observed_at), _micros(prediction.produced_at)
    if pair is None or prediction.probabilities is None:
        return None
    target = None if prediction.target_pct is None else float(prediction.target_pct)
    at = accepted_at if produced_at is None else produced_at
    word = Word(id=id_, pair=pair, at=at, probabilities=prediction.probabilities, target_pct=target)
    if prediction.outlier:
        word = Word(id=id_, pair=pair, at=at, why="the prediction is an outlier")
    return Standing(
        position=position,
        model=prediction.model.name,
        word=word,
        expires_at=expires_at,
        silent_at=source.silent_at(accepted_at),
        observed_at=observed_at,
        produced_at=produced_at,
        zero=zero,
    )


def _micros(value: datetime | None) -> int | None:
    return None if value is None else to_micros(value)


class Standings:
    """By topic, how its pair stands: by what was accepted last of what each model said last, whichever source it is."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[str, Standing]] = {}

    def know(self, topic: str, pair: str, *, now: int) -> None:
        """Take a pair of which nothing is known."""
        word = Word(id=f"{pair}.neutral", pair=pair, at=now, why="nothing was predicted")
        self._topics.setdefault(topic, {"": Standing(position=0, word=word, expires_at=now)})

    def take(self, topic: str, new: Standing) -> bool:
        """Take a prediction; whether it is in force now. They may come in another order than accepted, or produced."""
        models = self._topics.setdefault(topic, {})
        known = models.get(new.model)
        if known is not None and not new.later_than(known):
            return False
        models[new.model] = new
        return _in_force(models) is new

    def withdraw(self, id_: str, *, now: int) -> None:
        """Let a prediction be in force no more."""
        for models in self._topics.values():
            for model, known in models.items():
                if known.word.id == id_:
                    models[model] = replace(known, withdrawn_at=now)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of all pairs."""
        return tuple(self._topics)

    def word(self, topic: str, now: int, *, timer: int = 0) -> Word:
        """What is to be said now of a topic's pair; see ``Standing.at``."""
        return _in_force(self._topics[topic]).at(now, timer=timer)


def _in_force(models: Mapping[str, Standing]) -> Standing:
    return max(models.values(), key=lambda one: one.position)
