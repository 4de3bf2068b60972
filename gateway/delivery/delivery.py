"""Publish: from the journal's outbox to the broker's acknowledgement, one in flight per lane, lanes in parallel."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from gateway.delivery.decide import Turn, answered, expired, lost, outcome, retry_after, turn
from gateway.delivery.lane import Queue, row_of
from gateway.delivery.outcomes import Outcomes
from gateway.delivery.route import SIGNALS
from gateway.errors import NotStored
from gateway.journal.model import Accepted, Journal, Lane, Outcome, Station, Waiting
from gateway.mqtt.model import Ack, Link, LinkLost, PacketTooLarge, Version
from gateway.telemetry import Telemetry
from schemas.envelope import CONTENT_TYPE, attributes, complete

_DISK_PAUSE = 1.0
"""Seconds until the journal is asked again where the disk refused."""

_IDLE_LANE = 60_000_000
"""Microseconds after which an idle lane leaves the memory; its last number is in the journal by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """How much of the outbox is held in memory.

    Args:
        loaded: rows of all lanes together.
        lane_loaded: rows of one lane.
        sweep: seconds between looks for what expired and whose pause is over.
    """

    loaded: int = 4096
    lane_loaded: int = 64
    sweep: float = 0.2


class Delivery:
    """Publishes what the journal holds. All but ``run`` and ``drained`` is called on the loop and never waits."""

    def __init__(
        self,
        journal: Journal,
        link: Link,
        *,
        telemetry: Telemetry,
        clock: Callable[[], int],
        settings: DeliverySettings = DeliverySettings(),
    ) -> None:
        self._journal = journal
        self._link = link
        self._telemetry = telemetry
        self._clock = clock
        self._settings = settings
        self._queues: dict[Lane, Queue] = {}
        self._ready: deque[Queue] = deque()
        self._suspects: deque[Queue] = deque()
        self._to_load: deque[Queue] = deque()
        self._outcomes = Outcomes(journal)
        self._loaded = 0
        self._in_flight = 0
        self._alone = False
        self._load = asyncio.Event()
        self._pump_scheduled = False

    def offer(self, accepted: Iterable[Accepted]) -> None:
        """Take signals that were just committed."""
        for signal in accepted:
            for destination in signal.draft.destinations:
                queue = self._queue(Lane(destination.name, signal.draft.key))
                before = len(queue.rows)
                room = self._loaded < self._settings.loaded and before < self._settings.lane_loaded
                queue.append(row_of(signal, queue.lane), room=room)
                self._loaded += len(queue.rows) - before
                self._enqueue(queue)
        self.pump()

    def pump(self) -> None:
        """Go on soon; called whenever something changed."""
        if not self._pump_scheduled:
            self._pump_scheduled = True
            asyncio.get_running_loop().call_soon(self._pump)

    def hurry(self) -> None:
        """Try again now what nobody heard: a listener came."""
        for queue in self._queues.values():
            queue.retry_at = 0
            self._enqueue(queue)
        self.pump()

    async def run(self) -> None:
        """Deliver until cancelled."""
        for lane in await self._journal.lanes():  # at start a disk that refuses ends the process
            self._enqueue(self._queue(lane))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._load_lanes(), name="delivery.load")
            tasks.create_task(self._outcomes.run(), name="delivery.outcomes")
            tasks.create_task(self._sweep(), name="delivery.sweep")

    async def drained(self) -> None:
        """Return when nothing can be published now and every outcome is recorded; what nobody hears may still wait."""
        while self._outcomes.pending or not all(map(self._rests, self._queues.values())):  # noqa: ASYNC110  many conditions
            await asyncio.sleep(self._settings.sweep)

    def _rests(self, queue: Queue) -> bool:
        return queue.idle or (not queue.in_flight and not self._due(queue))

    def _queue(self, lane: Lane) -> Queue:
        queue = self._queues.get(lane)
        if queue is None:
            queue = self._queues[lane] = Queue(lane)
        queue.used_at = self._clock()
        return queue

    def _enqueue(self, queue: Queue) -> None:
        if queue.queued or queue.in_flight or queue.loading:
            return
        if not queue.rows:
            if queue.more:
                queue.loading = True
                self._to_load.append(queue)
                self._load.set()
            return
        queue.queued = True
        (self._suspects if queue.suspect else self._ready).append(queue)

    def _pump(self) -> None:
        self._pump_scheduled = False
        if self._suspects and not self._in_flight and self._link.connected:
            self._try_alone()
        if self._alone or (self._suspects and self._in_flight and self._due(self._suspects[0])):
            return
        for _ in range(len(self._ready)):
            if not self._link.connected or self._link.free == 0:
                return
            queue = self._ready.popleft()
            queue.queued = False
            self._step(queue)

    def _try_alone(self) -> None:
        for _ in range(len(self._suspects)):
            queue = self._suspects.popleft()
            queue.queued = False
            if self._due(queue):
                self._alone = True
                self._step(queue)
                if queue.in_flight:
                    return
                self._alone = False
            else:
                self._enqueue(queue)

    def _due(self, queue: Queue) -> bool:
        return queue.retry_at <= self._clock()

    def _step(self, queue: Queue) -> None:
        """Do what the head needs; then the lane is in flight, pausing until a sweep, or queued for its next head."""
        row, now = queue.head, self._clock()
        if row is None:
            self._enqueue(queue)
            return
        if now < queue.retry_at and now < row.expires_at:
            return
        row = replace(row, attempts=queue.attempts) if queue.attempts else row
        decision = turn(row, now=now, heard=self._link.heard(row.topic))
        if isinstance(decision, Outcome):
            self._finish(queue, decision)
        elif decision is Turn.WAIT:
            self._again(queue)
        elif decision is Turn.MARK:
            self._mark(queue, row)
        else:
            self._publish(queue, row)

    def _mark(self, queue: Queue, row: Waiting) -> None:
        """A publish that must not happen twice is on disk as begun before it begins."""
        queue.in_flight = True
        self._in_flight += 1
        begun = outcome(row, Station.PUBLISHING, now=self._clock())
        task = asyncio.get_running_loop().create_task(self._journal.record([begun]), name="delivery.mark")
        task.add_done_callback(partial(self._marked, queue, row))

    def _marked(self, queue: Queue, row: Waiting, task: Future[None]) -> None:
        self._in_flight -= 1
        queue.in_flight = False
        if task.cancelled():
            return
        if task.exception() is not None or not self._link.connected or self._link.free == 0:
            self._again(queue, seconds=1.0 if task.exception() else 0.0)
        else:
            self._publish(queue, row)

    def _publish(self, queue: Queue, row: Waiting) -> None:
        previous = row.previous if row.put else queue.last_put
        envelope = row.sequence is not None
        payload = row.payload
        if envelope:
            payload = complete(
                payload, sequence=row.sequence, previous=previous, possible_duplicate_of=row.possible_duplicate_of
            )
        v5 = self._link.version is Version.V5
        try:
            answer = self._link.publish(
                row.topic,
                payload,
                expiry=max(1, -(-(row.expires_at - self._clock()) // 1_000_000)) if v5 else None,
                content_type=(CONTENT_TYPE if envelope else "application/json") if v5 else None,
                properties=attributes(payload) if v5 and envelope else None,
            )
        except PacketTooLarge as error:
            self._finish(queue, outcome(row, Station.DEAD, now=self._clock(), reason=str(error)))
            return
        except LinkLost:
            self._enqueue(queue)
            return
        queue.in_flight = True
        self._in_flight += 1
        answer.add_done_callback(partial(self._answered, queue, row, previous))

    def _answered(self, queue: Queue, row: Waiting, previous: int | None, answer: Future[Ack]) -> None:
        self._in_flight -= 1
        self._alone = False
        queue.in_flight = False
        if answer.cancelled():
            return
        error, now = answer.exception(), self._clock()
        if error is None:
            told = self._link.version is Version.V5 or self._link.heard(row.topic) is not None
            decision = answered(row, answer.result(), now=now, previous=previous, told=told)
        else:
            queue.suspect = True
            queue.drops += isinstance(error, LinkLost) and error.alone
            decision = lost(row, now=now, drops=queue.drops, problem=str(error))
        if decision is not None:
            self._finish(queue, decision)
        elif error is None:
            self._again(queue)
        else:
            self._again(queue, seconds=retry_after(queue.drops - 1) if queue.drops > 1 else 0.0)

    def _again(self, queue: Queue, *, seconds: float | None = None) -> None:
        if seconds is None:
            queue.attempts += 1
            seconds = retry_after(queue.attempts)
        queue.retry_at = self._clock() + int(seconds * 1e6)
        if seconds == 0.0:
            self._enqueue(queue)
            self.pump()

    def _finish(self, queue: Queue, result: Outcome) -> None:
        row = queue.finish()
        self._loaded -= 1
        if result.station is Station.PUBLISHED and row.sequence is not None:
            queue.last_put = row.sequence
            if row.lane.destination == SIGNALS:
                self._telemetry.published(source=row.source, body=row.body, seconds=(result.at - row.accepted_at) / 1e6)
        self._telemetry.outcome(station=result.station, source=row.source)
        self._outcomes.add(result)
        self._enqueue(queue)
        self.pump()

    async def _load_lanes(self) -> None:
        while True:
            await self._load.wait()
            self._load.clear()
            try:
                while self._to_load:
                    await self._load_lane(self._to_load[0])
                    self._to_load.popleft()
            except NotStored:
                await asyncio.sleep(_DISK_PAUSE)
                self._load.set()
            self.pump()

    async def _load_lane(self, queue: Queue) -> None:
        limit = self._settings.lane_loaded if self._loaded < self._settings.loaded else 1
        if not queue.known:
            queue.last_put = await self._journal.last_put(queue.lane)
            queue.known = True
        queue.more = False
        rows = await self._journal.waiting(queue.lane, after=queue.loaded_to, limit=limit)
        queue.load(rows, complete=len(rows) < limit and not queue.more)
        self._loaded += len(rows)
        queue.loading = False
        self._enqueue(queue)

    async def _sweep(self) -> None:
        """End what expired while it waited, go on with lanes whose pause is over, and forget idle lanes."""
        while True:
            await asyncio.sleep(self._settings.sweep)
            now = self._clock()
            for queue in list(self._queues.values()):
                self._look_at(queue, now)
            self.pump()

    def _look_at(self, queue: Queue, now: int) -> None:
        row = queue.head
        if queue.idle and now - queue.used_at > _IDLE_LANE and not self._outcomes.pending:
            del self._queues[queue.lane]
        elif row is not None and not queue.in_flight and not queue.queued and queue.retry_at <= now:
            self._enqueue(queue)
        elif row is not None and not queue.in_flight and now >= row.expires_at and not row.publishing:
            self._finish(queue, expired(replace(row, attempts=queue.attempts), now=now))
