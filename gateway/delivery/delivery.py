"""Delivery: from the journal's outbox to the broker and, receipt by receipt, to the bots; each lane in its order."""

from __future__ import annotations

import asyncio
import time
from asyncio import Future
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

from gateway.delivery.audience import Audience
from gateway.delivery.decide import outcome
from gateway.delivery.lane import Place, Queue, Row, row_of
from gateway.delivery.loading import Loader
from gateway.delivery.outcomes import Outcomes
from gateway.delivery.pump import Pump
from gateway.delivery.redelivery import Redelivery
from gateway.delivery.settings import DeliverySettings
from gateway.errors import NotStored
from gateway.journal.journal import Journal
from gateway.journal.model import Accepted, KnownBot, Lane, Outcome, Station, Waiting
from gateway.mqtt.model import Ack, Link
from gateway.telemetry import Telemetry

_RESTING = frozenset({Place.IDLE, Place.PAUSED, Place.HELD, Place.AWAY})


class Delivery:
    """Publishes what the journal holds, and again until the bots have it.

    All but ``run`` and ``drained`` is called on the loop and never waits.

    Args:
        named: by source, the bots that its configuration names.
        stock: the sources that name stock bots.
        limited: by bot, the sources that its login may read, where not all.
        present: whether a stock bot is surely there.
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
        present: Callable[[str], bool],
        named: Mapping[str, tuple[str, ...]] | None = None,
        stock: Collection[str] = (),
        limited: Callable[[], Mapping[str, tuple[str, ...]]] = dict,
    ) -> None:
        self._journal = journal
        self._link = link
        self._telemetry = telemetry
        self._clock = clock
        self._timer = timer
        self._settings = settings
        self._queues: dict[Lane, Queue] = {}
        self._gaps: dict[tuple[str, str], float] = {}
        self._audience = Audience(
            named or {},
            stock=stock,
            limited=limited,
            window=settings.unreceived_window,
            patience=settings.redeliver_after,
            clock=clock,
            timer=timer,
        )
        self._outcomes = Outcomes(journal, telemetry=telemetry)
        self._loader = Loader(journal, self._take_loaded, bots=lambda: self._audience.online)
        self._pump = Pump(
            link,
            outcomes=self._outcomes,
            audience=self._audience,
            want=self._want,
            stopped=lambda queue: self._redelivery.stopped(queue),  # noqa: PLW0108 - it is made below
            present=present,
            clock=clock,
            timer=timer,
        )
        self._redelivery = Redelivery(
            journal,
            outcomes=self._outcomes,
            wait=self._pump.wait,
            stop=lambda lane: self._pump.rewind(self._queue(lane)),
            resume=self._pump.resume,
            ready=self._pump.go,
        )

    def offer(self, accepted: Iterable[Accepted]) -> None:
        """Take signals that were just committed."""
        for signal in accepted:
            for destination in signal.draft.destinations:
                queue = self._queue(Lane(destination.name, signal.draft.key))
                room = self._pump.loaded < self._settings.loaded and len(queue.rows) < self._settings.lane_loaded
                self._pump.loaded += queue.append(self._row(row_of(signal, queue.lane)), room=room)
                if queue.place is Place.IDLE or (queue.place is Place.AWAY and queue.superseded):
                    self._pump.put(queue)

    def connected(self, proof: Future[Ack] | None) -> None:
        """Go on: the broker is there, and may have lost what it acknowledged.

        The answer to ``proof`` shows that the connection is healthy.
        """
        self._pump.connected(proof)
        self._redelivery.bots(self._audience.begin_again(), first=True)

    async def withdraw(self, lane: Lane, *, position: int, id_: str, reason: str) -> None:
        """End a row as withdrawn, on disk, where the broker does not have it and cannot have it.

        Raises:
            NotStored: the journal cannot store.
        """
        queue = self._queue(lane)
        if queue.begun(id_):
            return
        self._pump.withdrawing.add(id_)
        try:
            if not await self._outcomes.flushed(timeout=1.0):
                raise NotStored("disk", "The journal cannot be written now. Free space, or see the gateway's log.")
            step = Outcome(
                position=position,
                destination=lane.destination,
                station=Station.WITHDRAWN,
                at=self._clock(),
                reason=reason,
            )
            await self._journal.record([step])
            self._pump.loaded -= queue.drop(id_)
            if queue.place is Place.AWAY:
                self._pump.put(queue)
        finally:
            self._pump.withdrawing.discard(id_)
            self._pump.release()

    def received(self, bot: str, signal: str) -> None:
        """A bot has a signal: there may be room for the next, or an earlier one was lost."""
        sign = self._audience.received(bot, signal)
        if sign.room:
            self._pump.release()
        if sign.again:
            self._redelivery.bots([bot])
        if sign.gap is not None:
            self._gaps.setdefault((bot, sign.gap), self._timer())

    def unreceived(self, bot: str) -> int:
        """How many signals a bot that is online was sent and has not receipted."""
        return self._audience.unreceived(bot)

    def came(self, bot: str) -> None:
        """A stock bot is there now that was not: what waits for it may go."""
        self._pump.attendance.came(bot)

    def bots(self, bots: Iterable[KnownBot], came: Collection[str]) -> None:
        """Take all bots as their cards show them now.

        Those that came are sent again what they have not receipted, and what nobody heard is tried again now.
        """
        self._audience.learn(bots, came=came)
        self._pump.release()
        if came:
            self._redelivery.bots(came, first=True)
        for queue in self._queues.values():
            if queue.place is Place.PAUSED and queue.trial.unheard:
                queue.try_().retry_at = 0.0
                self._pump.put(queue)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump.run(), name="delivery.pump")
            tasks.create_task(self._loader.run(), name="delivery.load")
            tasks.create_task(self._outcomes.run(), name="delivery.outcomes")
            tasks.create_task(self._redelivery.run(), name="delivery.redelivery")
            tasks.create_task(self._sweep(), name="delivery.sweep")
            tasks.create_task(self._audit(), name="delivery.audit")

    async def drained(self) -> None:
        """Return when nothing can be published now and every outcome is recorded; what nobody hears may still wait."""
        while self._outcomes.pending or any(queue.place not in _RESTING for queue in self._queues.values()):  # noqa: ASYNC110
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
        """End what expired while it waited, go on with lanes whose pause is over, and redeliver what is overdue."""
        while True:
            await asyncio.sleep(self._settings.sweep)
            if overdue := self._audience.overdue():
                self._redelivery.bots(overdue)
            self._mind_gaps()
            self._redelivery.look_again()
            self._pump.release()
            for queue in list(self._queues.values()):
                self._look_at(queue)

    def _mind_gaps(self) -> None:
        """Redeliver a lane of which a bot has a later signal and lacks an earlier one, before it goes on without."""
        seen = self._timer() - self._settings.gap_after
        for (bot, signal), since in list(self._gaps.items()):
            if since <= seen:
                del self._gaps[bot, signal]
                lane = self._audience.lacks(bot, signal)
                if lane is not None:
                    self._pump.rewind(self._queue(lane))

    def _look_at(self, queue: Queue) -> None:
        now, timer, row = self._clock(), self._timer(), queue.head
        if queue.place is Place.IDLE and timer - queue.used_at > self._settings.idle and not self._outcomes.pending:
            del self._queues[queue.lane]
        elif queue.place in {Place.PAUSED, Place.AWAY} and row is not None and self._ends(row, now=now, timer=timer):
            self._pump.finish(queue, self._pump.expired(queue))
        elif queue.place is Place.PAUSED and queue.trial.retry_at <= timer:
            self._pump.put(queue)
        elif row is not None and not self._link.connected and queue.place in {Place.READY, Place.SUSPECT}:
            while (row := queue.head) and self._ends(row, now=now, timer=timer):
                self._pump.end_head(queue, self._pump.expired(queue))
        elif row is not None and queue.place in {Place.PAUSED, Place.HELD, Place.AWAY}:
            self._tell_held(queue, row.waiting)

    def _ends(self, row: Row, *, now: int, timer: float) -> bool:
        """Whether a row ends by its expiry; one that the broker has, or may have by a mark on disk, ends otherwise."""
        return row.late(now=now, timer=timer) and not row.waiting.publishing and not row.waiting.awaiting

    def _tell_held(self, queue: Queue, row: Waiting) -> None:
        """Write down why the head does not go on, once it has not for a while."""
        trial = queue.trial
        if not trial.held or trial.told or row.awaiting or self._timer() - trial.held_since < self._settings.told_after:
            return
        queue.try_().told = True
        tries = trial.unheard - 1
        self._outcomes.add(outcome(row, Station.HELD, now=self._clock(), reason=trial.held, tries=tries))

    async def _audit(self) -> None:
        """Take up what is on disk and in no lane here, and give up what was not receipted until it expired."""
        while True:
            with suppress(NotStored):
                if not self._outcomes.pending:
                    for lane in await self._journal.lanes():
                        self._take_up(self._queue(lane))
                while await self._give_up():
                    pass
            await asyncio.sleep(self._settings.audit)

    async def _give_up(self) -> bool:
        """End some of what was not receipted in time; whether there may be more."""
        before = self._clock() - int(self._settings.answer_after * 1e6)
        given_up = await self._journal.give_up(before=before, at=self._clock())
        for ended in given_up:
            self._telemetry.unanswered(ended)
        return bool(given_up)

    def _take_up(self, queue: Queue) -> None:
        if queue.place is Place.IDLE:
            queue.read_again()
            self._pump.put(queue)
