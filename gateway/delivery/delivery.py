"""Publish: from the journal's outbox to the broker's acknowledgement, one in flight per lane, lanes in parallel."""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from gateway.delivery.decide import Turn, answered, expired, lost, outcome, retry_after, turn
from gateway.delivery.lane import Flight, Place, Queue, Row, row_of
from gateway.delivery.loading import Loader
from gateway.delivery.outcomes import Outcomes
from gateway.delivery.publish import publish
from gateway.delivery.route import SIGNALS
from gateway.delivery.settings import DeliverySettings
from gateway.errors import NotStored
from gateway.journal.model import Accepted, Journal, Lane, Outcome, Station, Waiting
from gateway.mqtt.model import Ack, Link, LinkLost, PacketTooLarge, Version
from gateway.telemetry import Telemetry

_AT_ONCE = 2.0
"""Seconds after a publish within which the end of its connection is laid at its door."""


class Delivery:
    """Publishes what the journal holds. All but ``run`` and ``drained`` is called on the loop and never waits.

    Args:
        clock: microseconds since the epoch.
        timer: seconds that never go back.
    """

    def __init__(
        self,
        journal: Journal,
        link: Link,
        *,
        telemetry: Telemetry,
        clock: Callable[[], int],
        timer: Callable[[], float] = time.monotonic,
        settings: DeliverySettings,
    ) -> None:
        self._journal = journal
        self._link = link
        self._telemetry = telemetry
        self._clock = clock
        self._timer = timer
        self._settings = settings
        self._outcomes = Outcomes(journal)
        self._loader = Loader(journal, self._take_loaded)
        self._queues: dict[Lane, Queue] = {}
        self._ready: deque[Queue] = deque()
        self._suspects: deque[Queue] = deque()
        self._answers: deque[tuple[Flight, Future[Ack]]] = deque()
        self._loaded = 0
        self._in_flight = 0
        self._alone = False
        self._healthy = False
        self._wanted = asyncio.Event()

    def offer(self, accepted: Iterable[Accepted]) -> None:
        """Take signals that were just committed."""
        for signal in accepted:
            for destination in signal.draft.destinations:
                queue = self._queue(Lane(destination.name, signal.draft.key))
                room = self._loaded < self._settings.loaded and len(queue.rows) < self._settings.lane_loaded
                self._loaded += queue.append(self._row(row_of(signal, queue.lane)), room=room)
                if queue.place is Place.IDLE:
                    self._put(queue)
        self._wanted.set()

    def connected(self, proof: Future[Ack] | None) -> None:
        """Go on: the broker is there. The answer to ``proof`` shows that the connection is healthy."""
        self._healthy = False
        if proof is not None:
            proof.add_done_callback(self._prove)
        self._wanted.set()

    def _prove(self, proof: Future[Ack]) -> None:
        self._healthy = not proof.cancelled() and proof.exception() is None
        self._wanted.set()

    def hurry(self) -> None:
        """Try again now what nobody heard: a listener came."""
        for queue in self._queues.values():
            if queue.place is Place.PAUSED and queue.unheard:
                queue.retry_at = 0.0
                self._put(queue)
        self._wanted.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._work(), name="delivery.work")
            tasks.create_task(self._loader.run(), name="delivery.load")
            tasks.create_task(self._outcomes.run(), name="delivery.outcomes")
            tasks.create_task(self._sweep(), name="delivery.sweep")
            tasks.create_task(self._audit(), name="delivery.audit")

    async def drained(self) -> None:
        """Return when nothing can be published now and every outcome is recorded; what nobody hears may still wait."""
        resting = {Place.IDLE, Place.PAUSED}
        while self._outcomes.pending or any(queue.place not in resting for queue in self._queues.values()):  # noqa: ASYNC110
            await asyncio.sleep(self._settings.sweep)

    def _queue(self, lane: Lane) -> Queue:
        queue = self._queues.get(lane)
        if queue is None:
            queue = self._queues[lane] = Queue(lane)
        queue.used_at = self._timer()
        return queue

    def _row(self, waiting: Waiting) -> Row:
        return Row(waiting, self._timer() + (waiting.expires_at - self._clock()) / 1e6)

    def _put(self, queue: Queue) -> None:
        """Put a lane, which is in no deque, where it belongs."""
        if queue.rows and queue.retry_at > self._timer():
            queue.place = Place.PAUSED
        elif queue.rows:
            queue.place = Place.SUSPECT if queue.losses else Place.READY
            (self._suspects if queue.losses else self._ready).append(queue)
            self._wanted.set()
        elif queue.more:
            queue.place = Place.LOADING
            self._loader.want(queue, limit=self._settings.lane_loaded if self._loaded < self._settings.loaded else 1)
        else:
            queue.place = Place.IDLE

    def _take_loaded(self, queue: Queue, rows: list[Waiting]) -> None:
        queue.load([self._row(row) for row in rows])
        self._loaded += len(rows)
        self._put(queue)

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._answers:
                self._answered(*self._answers.popleft())
            self._pump()

    def _pump(self) -> None:
        """Publish what the window allows; what was in flight when a connection ended is tried alone."""
        if self._suspects and not self._in_flight and self._healthy and self._link.connected:
            self._alone = True
            self._step(self._suspects.popleft())
        self._alone = self._alone and self._in_flight > 0
        if self._alone or (self._suspects and self._in_flight and self._healthy):
            return
        for _ in range(len(self._ready)):
            if not self._link.connected or self._link.free == 0:
                return
            self._step(self._ready.popleft())

    def _step(self, queue: Queue) -> None:
        """Do what the head needs."""
        row = queue.head
        if row is None:
            self._put(queue)
            return
        waiting, now = row.waiting, self._clock()
        late, heard = row.late(now=now, timer=self._timer()), self._link.heard(waiting.topic)
        decision = turn(waiting, now=now, late=late, heard=heard, tries=queue.unheard)
        if isinstance(decision, Outcome):
            self._finish(queue, decision)
        elif decision is Turn.WAIT:
            self._unheard(queue)
        elif decision is Turn.MARK:
            self._mark(queue, waiting)
        else:
            self._publish(queue, waiting)

    def _mark(self, queue: Queue, row: Waiting) -> None:
        """A publish that must not happen twice is on disk as begun before it begins."""
        queue.place = Place.IN_FLIGHT
        self._in_flight += 1
        begun = outcome(row, Station.PUBLISHING, now=self._clock())
        self._outcomes.add(begun, then=partial(self._marked, queue))

    def _marked(self, queue: Queue) -> None:
        self._in_flight -= 1
        row = queue.rows[0]
        if row.late(now=self._clock(), timer=self._timer()):
            self._finish(queue, expired(row.waiting, now=self._clock(), tries=0))
        elif self._link.free:
            self._publish(queue, row.waiting)
        else:
            self._unmark(queue, row.waiting)

    def _unmark(self, queue: Queue, row: Waiting) -> None:
        """It was not sent after all, and may be."""
        self._outcomes.add(outcome(row, Station.WAITING, now=self._clock()))
        self._put(queue)

    def _publish(self, queue: Queue, row: Waiting) -> None:
        previous = row.previous if row.put else queue.last_put
        try:
            answer = publish(row, previous=previous, link=self._link, now=self._clock())
        except PacketTooLarge as error:
            self._finish(queue, outcome(row, Station.DEAD, now=self._clock(), reason=str(error)))
            return
        except LinkLost:
            self._unmark(queue, row) if row.once else self._put(queue)
            return
        queue.place = Place.IN_FLIGHT
        self._in_flight += 1
        flight = Flight(queue, previous, self._timer(), alone=self._alone)
        answer.add_done_callback(partial(self._land, flight))

    def _land(self, flight: Flight, answer: Future[Ack]) -> None:
        self._answers.append((flight, answer))
        self._wanted.set()

    def _answered(self, flight: Flight, answer: Future[Ack]) -> None:
        self._in_flight -= 1
        queue, row, now = flight.queue, flight.queue.rows[0].waiting, self._clock()
        error = None if answer.cancelled() else answer.exception()
        if error is not None or answer.cancelled():
            self._lost(flight, row, str(error))
            return
        told = self._link.version is Version.V5 or self._link.heard(row.topic) is not None
        decision = answered(row, answer.result(), now=now, previous=flight.previous, told=told, tries=queue.unheard)
        if decision is None:
            self._unheard(queue)
        else:
            self._finish(queue, decision)

    def _lost(self, flight: Flight, row: Waiting, problem: str) -> None:
        """The connection ended; it was this message's doing only where it was alone and the end came at once."""
        queue, now = flight.queue, self._timer()
        queue.losses += 1
        queue.drops += flight.alone and now - flight.sent_at < _AT_ONCE
        decision = lost(row, now=self._clock(), drops=queue.drops, problem=problem)
        if decision is not None:
            self._finish(queue, decision)
            return
        queue.retry_at = now + retry_after(queue.losses - 1) if queue.losses > 1 else 0.0
        self._put(queue)

    def _unheard(self, queue: Queue) -> None:
        queue.unheard += 1
        queue.losses = queue.drops = 0
        queue.retry_at = self._timer() + retry_after(queue.unheard)
        self._put(queue)

    def _finish(self, queue: Queue, result: Outcome) -> None:
        """Note the outcome of the head, and put the lane where its next row wants it."""
        self._end_head(queue, result)
        self._put(queue)

    def _end_head(self, queue: Queue, result: Outcome) -> None:
        self._outcomes.add(result)
        row = queue.finish()
        self._loaded -= 1
        if result.station is Station.PUBLISHED and row.sequence is not None:
            queue.last_put = row.sequence
            if row.lane.destination == SIGNALS:
                seconds = (result.at - row.accepted_at) / 1e6
                self._telemetry.published(source=row.source, body=row.body, seconds=seconds)
        self._telemetry.outcome(station=result.station, source=row.source)

    async def _sweep(self) -> None:
        """End what expired while it waited, go on with lanes whose pause is over, and forget idle lanes."""
        while True:
            await asyncio.sleep(self._settings.sweep)
            now, timer = self._clock(), self._timer()
            for queue in list(self._queues.values()):
                self._look_at(queue, now=now, timer=timer)

    def _look_at(self, queue: Queue, *, now: int, timer: float) -> None:
        row = queue.head
        if queue.place is Place.IDLE and timer - queue.used_at > self._settings.idle and not self._outcomes.pending:
            del self._queues[queue.lane]
        elif queue.place is Place.PAUSED and row is not None and row.late(now=now, timer=timer):
            self._finish(queue, expired(row.waiting, now=now, tries=queue.unheard))
        elif queue.place is Place.PAUSED and queue.retry_at <= timer:
            self._put(queue)
        elif row is not None and not self._link.connected and queue.place in {Place.READY, Place.SUSPECT}:
            while (row := queue.head) and row.late(now=now, timer=timer) and not row.waiting.publishing:
                self._end_head(queue, expired(row.waiting, now=now, tries=queue.unheard))

    async def _audit(self) -> None:
        """Take up what is on disk and in no lane here: the backlog at start, and a commit that failed and yet held."""
        while True:
            if not self._outcomes.pending:
                with suppress(NotStored):
                    for lane in await self._journal.lanes():
                        self._take_up(self._queue(lane))
            await asyncio.sleep(self._settings.audit)

    def _take_up(self, queue: Queue) -> None:
        if queue.place is Place.IDLE:
            queue.read_again()
            self._put(queue)
