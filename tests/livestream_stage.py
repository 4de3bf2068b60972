"""A livestream between a journal in memory and any broker, with a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from gateway.journal import Accepted, Draft, MemoryJournal
from gateway.journal.journal import Journal
from gateway.livestream import Followed, Livestream
from gateway.mqtt import Link
from gateway.telemetry import NullTelemetry
from schemas.envelope import PREDICTION, WITHDRAW, decode, encode_head
from schemas.fields import from_micros
from schemas.instrument import Instrument
from schemas.prediction import Model, Prediction, Probabilities
from schemas.record import wire
from schemas.topics import Topics
from tests.journal_drafts import SECOND, Clock, draft

TOPICS = Topics(namespace="t")
"""Below what every stage of the links lets a client publish."""

LONG = Probabilities(short=0.1, neutral=0.2, long=0.7)
NEUTRAL = [0.0, 1.0, 0.0]
SOURCE = "models"


class Told(NullTelemetry):
    """Facts of a livestream, as they came."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.changes: list[tuple[str, str]] = []
        self.found: list[tuple[str, str]] = []

    def ml_signal(self, *, outcome: str) -> None:
        self.outcomes.append(outcome)

    def ml_signal_changed(self, *, pair: str, id_: str, neutral_as: str) -> None:
        self.changes.append((pair, neutral_as))

    def retained_found(self, *, topic: str, problem: str) -> None:
        self.found.append((topic, problem))


class LivestreamStage:
    """The livestream under test; its link is given to it when it is known."""

    def __init__(self, *, pairs: tuple[str, ...] = (), interval: float | None = None) -> None:
        self.clock, self.told = Clock(), Told()
        self.journal: Journal = MemoryJournal()
        self.elapsed = 0.0
        self._source = Followed(interval=interval, pairs=pairs)
        self.livestream: Livestream
        self.link: Link

    def put(self, link: Link) -> Livestream:
        """Make a livestream, as at the start of a process."""
        self.link = link
        self.livestream = Livestream(
            self.journal,
            link,
            sources={SOURCE: self._source},
            topics=TOPICS,
            telemetry=self.told,
            clock=self.clock,
            timer=lambda: self.elapsed,
        )
        return self.livestream

    def connected(self) -> None:
        """Tell it, as the link does."""
        self.livestream.connected()

    async def accept(self, pair: str = "BTC-USDT", *, ttl: float = 60, candle: datetime | None = None) -> str:
        """Commit a prediction and offer it; returns its id."""
        prediction = Prediction(
            model=Model(name="m"), instrument=Instrument(raw=pair, pair=pair), probabilities=LONG, observed_at=candle
        )
        made = draft(at=self.clock(), source=SOURCE, instrument=pair, ttl=ttl)
        return (await self._commit(made, PREDICTION, wire(prediction))).draft.id

    async def withdraw(self, id_: str, pair: str = "BTC-USDT") -> None:
        """Commit the withdrawal of a prediction that was published, and offer it."""
        made = draft(at=self.clock(), source=SOURCE, instrument=pair)
        await self._commit(made, WITHDRAW, {"id": id_}, causationid=id_)

    async def _commit(
        self, made: Draft, type_: str, data: Mapping[str, object], *, causationid: str | None = None
    ) -> Accepted:
        envelope = replace(decode(made.head), type=type_, data=data, causationid=causationid)
        body = type_.split(".")[1]
        (accepted,) = await self.journal.accept([replace(made, body=body, effect="", head=encode_head(envelope))])
        self.livestream.offer([accepted])
        return accepted


def probabilities(payload: bytes) -> list[float]:
    found: list[float] = json.loads(payload)["probabilities"]
    return found


def at(seconds: float) -> datetime:
    """A time so many seconds after the clock's start."""
    return from_micros(Clock().now + int(seconds * SECOND))
