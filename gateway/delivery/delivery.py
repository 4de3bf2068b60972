"""Delivery: from the journal's outbox to the broker, lanes in parallel, each in its order."""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from gateway.delivery.decide import expired
from gateway.delivery.lane import Place, Queue, Row, row_of
from gateway.delivery.loading import Loader
from gateway.delivery.outcomes import Outcomes
from gateway.delivery.pump import Pump
from gateway.delivery.settings import DeliverySettings
from gateway.delivery.unreceived import Unreceived
from gateway.errors import NotStored
from gateway.journal.model import Accepted, Journal, Lane, Waiting
from gateway.mqtt.model import Ack, Link
from gateway.telemetry import Telemetry


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
        self._clock = clock
        self._timer = timer
        self._settings = settings
        self._queues: dict[Lane, Queue] = {}
        self._outcomes = Outcomes(journal)
        self._loader = Loader(journal, self._take_loaded)
        self._unreceived = Unreceived(
            window=settings.unreceived_window, patience=settings.unreceived_patience, timer=timer
        )
        self._pump = Pump(
            link,
            outcomes=self._outcomes,
            unreceived=self._unreceived,
            want=self._want,
            telemetry=telemetry,
            clock=clock,
            timer=timer,
        )

    def offer(self, accepted: Iterable[Accepted]) -> None:
        """Take signals that were just committed."""
        for signal in accepted:
            for destination in signal.draft.destinations:
                queue = self._queue(Lane(destination.name, signal.draft.key))
                room = self._pump.loaded < self._settings.loaded and len(queue.rows) < self._settings.lane_loaded
                self._pump.loaded += queue.append(self._row(row_of(signal, queue.lane)), room=room)
                if queue.place is Place.IDLE:
                    self._pump.put(queue)

    def connected(self, proof: Future[Ack] | None) -> None:
        """Go on: the broker is there. The answer to ``proof`` shows that the connection is healthy."""
        self._pump.connected(proof)

    def received(self, bot: str, signal: str) -> None:
        """A bot has a signal: there may be room for the next."""
        if self._unreceived.received(bot, signal):
            self._pump.release()

    def listeners(self, filters: Mapping[str, tuple[str, ...]]) -> None:
        """Take the topic filters of the bots that are online, and try again now what nobody heard."""
        self._unreceived.listeners(filters)
        self._pump.release()
        for queue in self._queues.values():
            if queue.place is Place.PAUSED and queue.unheard:
                queue.retry_at = 0.0
                self._pump.put(queue)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump.run(), name="delivery.pump")
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

    def _want(self, queue: Queue) -> None:
        full = self._pump.loaded >= self._settings.loaded
        self._loader.want(queue, limit=1 if full else self._settings.lane_loaded)

    def _take_loaded(self, queue: Queue, rows: list[Waiting]) -> None:
        queue.load([self._row(row) for row in rows])
        self._pump.loaded += len(rows)
        self._pump.put(queue)

    async def _sweep(self) -> None:
        """End what expired while it waited, go on with lanes whose pause is over, and forget idle lanes."""
        while True:
            await asyncio.sleep(self._settings.sweep)
            self._unreceived.forget_old()
            self._pump.release()
            now, timer = self._clock(), self._timer()
            for queue in list(self._queues.values()):
                self._look_at(queue, now=now, timer=timer)

    def _look_at(self, queue: Queue, *, now: int, timer: float) -> None:
        row = queue.head
        if queue.place is Place.IDLE and timer - queue.used_at > self._settings.idle and not self._outcomes.pending:
            del self._queues[queue.lane]
        elif queue.place is Place.PAUSED and row is not None and row.late(now=now, timer=timer):
            self._pump.finish(queue, expired(row.waiting, now=now, tries=queue.unheard))
        elif queue.place is Place.PAUSED and queue.retry_at <= timer:
            self._pump.put(queue)
        elif row is not None and not self._link.connected and queue.place in {Place.READY, Place.SUSPECT}:
            while (row := queue.head) and row.late(now=now, timer=timer) and not row.waiting.publishing:
                self._pump.end_head(queue, expired(row.waiting, now=now, tries=queue.unheard))

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
            self._pump.put(queue)
