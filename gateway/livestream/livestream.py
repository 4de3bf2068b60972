"""Says for each pair what is in force, to whoever reads no envelope: at once when it changes, and every few seconds."""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf

from gateway.journal.journal import Journal
from gateway.journal.model import Accepted, Life, Station
from gateway.livestream.standing import Followed, Standings, Word, standing
from gateway.mqtt import Ack, Link, LinkLost, PacketTooLarge, SubscriptionDenied
from gateway.mqtt.reasons import in_words
from gateway.telemetry import Telemetry
from schemas.envelope import PREDICTION, WITHDRAW, Envelope, decode
from schemas.prediction import PredictionSchema
from schemas.record import load
from schemas.topics import TopicError, Topics

EVERY = 5.0
"""Seconds after which a word is said again."""

_KEPT = 10
"""Seconds that a broker keeps a word for a reader who is away: longer, it might be true no more."""

_RECALLED = 500
"""How many of a source's last predictions are read at the start, besides the last one of each pair."""

_LAST = 2.0
"""Seconds for all the last words together: what waits to be delivered needs the rest of the time."""

_AT_ONCE = 8
"""Words in flight at most: the rest of the window is for signals."""

_LOOK = 0.25
_PAUSE = 0.01


class Livestream:
    """Repeats the prediction in force of every pair, or a neutral one; nothing is retained.

    What is in force comes from the journal after a restart, and so do the pairs that were ever predicted.

    Args:
        sources: those whose predictions are said, by name.
        clock: microseconds since the epoch.
        timer: seconds that never go back.
    """

    def __init__(
        self,
        journal: Journal,
        link: Link,
        *,
        sources: Mapping[str, Followed],
        topics: Topics,
        telemetry: Telemetry,
        clock: Callable[[], int],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._link = link
        self._sources = sources
        self._topics = topics
        self._telemetry = telemetry
        self._clock = clock
        self._timer = timer
        self._standings = Standings()
        self._said: dict[str, tuple[Word, float]] = {}
        self._told: dict[str, str] = {}
        self._found: dict[str, None] = {}
        self._wanted = asyncio.Event()
        self._in_flight = 0
        self._leaving = False

    async def recall(self) -> None:
        """Take what the journal remembers of each pair; called once, before anything else."""
        for name, source in self._sources.items():
            for pair in source.pairs:
                self._know(pair)
            recent = await self._journal.lives(source=name, limit=_RECALLED)
            for life in (*await self._journal.newest(name), *recent):
                await self._recall(life, source)

    async def listen(self) -> None:
        """Hear of what others had the broker keep, also of pairs that become known later."""
        if self._sources:
            with suppress(SubscriptionDenied):  # the link says so, again at each connection
                await self._link.subscribe(self._topics.every_ml_signals, self._find, new=False)

    def offer(self, accepted: Sequence[Accepted]) -> None:
        """Take what was committed just now."""
        for one in accepted:
            source = self._sources.get(one.draft.source)
            if source is not None:
                draft = one.draft
                envelope = decode(draft.head)
                if envelope.type == WITHDRAW:
                    self.withdrawn(envelope.causationid or "")
                else:
                    self._take(envelope, source, one.position, draft.accepted_at, draft.expires_at)

    def withdrawn(self, id_: str) -> None:
        """A signal was withdrawn."""
        self._standings.withdraw(id_, now=self._clock())
        self._wanted.set()

    def connected(self) -> None:
        """Say everything again: nobody knows who heard it."""
        self._said.clear()
        self._wanted.set()

    async def run(self) -> None:
        """Say what is in force until cancelled."""
        while True:
            await self._link.wait_connected()
            with suppress(LinkLost):
                await self._clear()
                await self._say()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._wanted.wait()
            self._wanted.clear()

    async def leave(self) -> None:
        """Say neutral for each pair, as the last word: from now on nobody says when a prediction is true no more.

        All at once, in 2 s at most: what is not said by then stays unsaid.

        Raises:
            LinkLost: the connection ended.
        """
        now, self._leaving = self._clock(), True
        answers = []
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST):
                for topic in self._standings.topics:
                    if not (word := self._word(topic)).why:
                        last = Word(id=f"{word.id}.neutral", pair=word.pair, at=now, why="the gateway stops")
                        await self._free(most=inf)
                        with suppress(PacketTooLarge):
                            answers.append(self._publish(topic, last))
                if answers:
                    await asyncio.wait(answers)

    async def _recall(self, life: Life, source: Followed) -> None:
        envelope = decode(life.envelope)
        withdrawn = any(one.station is Station.WITHDRAWN for one in life.deliveries)
        if envelope.type == WITHDRAW:
            withdrawn, before = True, await self._journal.life(envelope.causationid or "")
            if before is None:
                return
            life, envelope = before, decode(before.envelope)
        self._take(envelope, source, life.position, life.accepted_at, life.expires_at)
        if withdrawn:
            self.withdrawn(life.id)

    def _take(self, envelope: Envelope, source: Followed, position: int, accepted_at: int, expires_at: int) -> None:
        if envelope.type != PREDICTION:
            return
        new = standing(
            load(PredictionSchema, envelope.data),
            id_=envelope.id,
            position=position,
            accepted_at=accepted_at,
            expires_at=expires_at,
            source=source,
            zero=self._clock() - self._elapsed(),
        )
        if new is not None and (topic := self._topic(new.word.pair)) and self._standings.take(topic, new):
            self._wanted.set()

    def _know(self, pair: str) -> None:
        if topic := self._topic(pair):
            self._standings.know(topic, pair, now=self._clock())

    def _topic(self, pair: str) -> str | None:
        with suppress(TopicError):
            return self._topics.ml_signals(pair)
        return None

    def _find(self, topic: str, payload: bytes) -> None:
        if payload:
            self._found[topic] = None
            self._wanted.set()

    async def _clear(self) -> None:
        """Take what others had the broker keep off it, so that no bot that comes later acts on it.

        What they keep for pairs that are not said here is their own.
        """
        for topic in [one for one in self._standings.topics if one in self._found]:
            await self._free()
            self._link.publish(topic, b"", retain=True).add_done_callback(partial(self._cleared, topic))
            self._found.pop(topic)
            self._said.pop(topic, None)

    def _cleared(self, topic: str, answer: Future[Ack]) -> None:
        if not answer.cancelled() and answer.exception() is None:  # what is still there is found again
            denied = answer.result().denied
            problem = f"the broker refuses to clear it: {in_words(answer.result().reason)}" if denied else ""
            self._telemetry.retained_found(topic=topic, problem=problem)

    async def _say(self) -> None:
        for topic in self._standings.topics:
            if not self._due(topic):
                continue
            await self._free()
            if self._leaving:
                return
            word = self._word(topic)  # as it is now: the wait may have been long
            with suppress(PacketTooLarge):
                self._publish(topic, word)
            self._said[topic] = (word, self._timer())
            if self._told.get(topic) != word.id:
                self._told[topic] = word.id
                self._telemetry.ml_signal_changed(pair=word.pair, id_=word.id, neutral_as=word.why)

    def _due(self, topic: str) -> bool:
        said = self._said.get(topic)
        return said is None or said[0] != self._word(topic) or self._timer() - said[1] >= EVERY

    def _word(self, topic: str) -> Word:
        return self._standings.word(topic, self._clock(), timer=self._elapsed())

    def _elapsed(self) -> int:
        return int(self._timer() * 1_000_000)

    async def _free(self, *, most: float = _AT_ONCE) -> None:
        while not self._link.free or self._in_flight >= most:
            if not self._link.connected:
                raise LinkLost(self._link.last_error)
            await asyncio.sleep(_PAUSE)

    def _publish(self, topic: str, word: Word) -> Future[Ack]:
        answer = self._link.publish(topic, word.payload, expiry=_KEPT)
        self._in_flight += 1
        answer.add_done_callback(partial(self._answered, word))
        return answer

    def _answered(self, word: Word, answer: Future[Ack]) -> None:
        self._in_flight -= 1
        if not answer.cancelled() and answer.exception() is None:
            outcome = "denied" if answer.result().denied else "neutral" if word.why else "prediction"
            self._telemetry.ml_signal(outcome=outcome)
