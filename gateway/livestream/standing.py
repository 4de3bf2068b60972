"""The standing of each pair: its last prediction, until when that is in force, and what follows it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
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
        word: what is said while it is in force.
        expires_at: when it stops being true.
        silent_at: when its source counts as silent unless another one comes; None for never.
        withdrawn_at: when an operator withdrew it; None where nobody did.
    """

    position: int
    word: Word
    expires_at: int
    silent_at: int | None = None
    withdrawn_at: int | None = None

    def at(self, now: int) -> Word:
        """What is said at a time."""
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
    prediction: Prediction, *, id_: str, position: int, accepted_at: int, expires_at: int, source: Followed
) -> Standing | None:
    """What a prediction makes of its pair; None where it has no pair or no probabilities.

    An outlier is neutral: whoever reads the word cannot see that the model does not know what it says.
    """
    pair, produced_at = prediction.instrument.pair, prediction.produced_at
    if pair is None or prediction.probabilities is None:
        return None
    target = None if prediction.target_pct is None else float(prediction.target_pct)
    at = accepted_at if produced_at is None else to_micros(produced_at)
    word = Word(id=id_, pair=pair, at=at, probabilities=prediction.probabilities, target_pct=target)
    if prediction.outlier:
        word = Word(id=id_, pair=pair, at=at, why="the prediction is an outlier")
    return Standing(position=position, word=word, expires_at=expires_at, silent_at=source.silent_at(accepted_at))


class Standings:
    """By topic, how its pair stands. A later prediction replaces the one before, whichever model or source says it."""

    def __init__(self) -> None:
        self._topics: dict[str, Standing] = {}

    def know(self, topic: str, pair: str, *, now: int) -> None:
        """Take a pair of which nothing is known."""
        word = Word(id=f"{pair}.neutral", pair=pair, at=now, why="nothing was predicted")
        self._topics.setdefault(topic, Standing(position=0, word=word, expires_at=now))

    def take(self, topic: str, new: Standing) -> bool:
        """Take a prediction; whether it is the last one of its topic. They may come in another order than accepted."""
        known = self._topics.get(topic)
        if known is not None and known.position > new.position:
            return False
        self._topics[topic] = new
        return True

    def withdraw(self, id_: str, *, now: int) -> None:
        """Let a prediction be in force no more."""
        for topic, known in self._topics.items():
            if known.word.id == id_:
                self._topics[topic] = replace(known, withdrawn_at=now)

    def words(self, now: int) -> Iterable[tuple[str, Word]]:
        """What is to be said now, by topic."""
        return [(topic, known.at(now)) for topic, known in self._topics.items()]

    def __contains__(self, topic: str) -> bool:
        return topic in self._topics
