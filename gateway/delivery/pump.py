"""The pump: which lane's head is published when, and what the broker's answers mean for it."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable
from functools import partial

from gateway.delivery.attendance import Attendance
from gateway.delivery.audience import Audience
from gateway.delivery.decide import Turn, answered, expired, lost, outcome, retry_after, turn
from gateway.delivery.lane import Flight, Place, Queue, Row
from gateway.delivery.outcomes import Outcomes
from gateway.delivery.publish import publish
from gateway.journal.model import Outcome, Station, Waiting
from gateway.mqtt.model import Ack, Link, LinkLost, PacketTooLarge, Version

_AT_ONCE = 2.0
"""Seconds after a publish within which the end of its connection is laid at its door."""


class Pump:
    """Publishes the heads of lanes, one in flight per lane.

    Args:
        want: called with a lane that wants rows of the journal.
        stopped: called with a lane that stopped, to be read again.
        present: whether a stock bot is surely there.
        clock: microseconds since the epoch.
        timer: seconds that never go back.
    """

    def __init__(
        self,
        link: Link,
        *,
        outcomes: Outcomes,
        audience: Audience,
        want: Callable[[Queue], None],
        stopped: Callable[[Queue], None],
        present: Callable[[str], bool],
        clock: Callable[[], int],
        timer: Callable[[], float],
    ) -> None:
        self._link = link
        self._outcomes = outcomes
        self._audience = audience
        self._want = want
        self._stopped = stopped
        self._clock = clock
        self._timer = timer
        self._ready: deque[Queue] = deque()
        self._suspects: deque[Queue] = deque()
        self._held: list[Queue] = []
        self._in_flight = 0
        self._alone = False
        self._healthy = False
        self._waits = False
        self._error: Exception | None = None
        self._wanted = asyncio.Event()
        self.loaded = 0
        self.withdrawing: set[str] = set()
        self.attendance = Attendance(present, put=self.put)

    def connected(self, proof: Future[Ack] | None) -> None:
        """The broker is there. The answer to ``proof`` shows that the connection is healthy."""
        self._healthy = False
        if proof is not None:
            proof.add_done_callback(self._prove)

    def wait(self) -> None:
        """Publish nothing until ``go``."""
        self._waits = True

    def go(self) -> None:
        """Go on: what comes first is in its place."""
        self._waits = False
        self._wanted.set()

    def _prove(self, proof: Future[Ack]) -> None:
        self._healthy = not proof.cancelled() and proof.exception() is None
        self._wanted.set()

    def put(self, queue: Queue) -> None:
        """Put a lane, which is in no deque, where it belongs."""
        before, trial = queue.place, queue.trial
        if queue.rewind:
            queue.place = Place.REWINDING
            self._stopped(queue)
        elif queue.rows and trial.retry_at > self._timer():
            queue.place = Place.PAUSED
        elif queue.rows:
            queue.place = Place.SUSPECT if trial.losses else Place.READY
            (self._suspects if trial.losses else self._ready).append(queue)
            self._wanted.set()
        elif queue.more:
            queue.place = Place.LOADING
            self._want(queue)
        else:
            queue.place = Place.IDLE
        self.attendance.moved(queue, before=before)

    def rewind(self, queue: Queue) -> None:
        """Stop a lane, now or when it moves next, to be read again."""
        if queue.place is Place.REWINDING:
            return
        queue.rewind = True
        if queue.place in {Place.IDLE, Place.PAUSED}:
            self.put(queue)

    def resume(self, queue: Queue, recorded: bool) -> None:  # noqa: FBT001 - a callback
        """Let a lane that stopped go on: from its beginning, where all behind it is recorded."""
        if recorded:
            self.loaded -= queue.read_again()
        queue.rewind = False
        self.put(queue)

    def release(self) -> None:
        """Look again at the lanes that were held for a bot's receipts, and whether others left places of the window."""
        self._wanted.set()
        held, self._held = self._held, []
        for queue in held:
            self.put(queue)

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            if self._error is not None:
                raise self._error
            self._pump()

    def _pump(self) -> None:
        """Publish what the window allows; what was in flight when a connection ended is tried alone."""
        if self._suspects and not self._waits and not self._in_flight and self._healthy and self._link.connected:
            self._alone = True
            self._step(self._suspects.popleft())
        self._alone = self._alone and self._in_flight > 0
        if self._alone or (self._suspects and self._in_flight and self._healthy):
            return
        for _ in range(len(self._ready)):  # two places are left to what waits for no backlog, as commands
            if self._waits or not self._link.connected or self._link.free <= min(2, self._in_flight):
                return
            self._step(self._ready.popleft())

    def _step(self, queue: Queue) -> None:
        """Do what the head needs."""
        row = queue.head
        if row is None or queue.rewind:
            self.put(queue)
            return
        waiting, decision = row.waiting, self._turn(queue, row)
        if waiting.id in self.withdrawing:
            self._hold(queue, "it is being withdrawn")
        elif isinstance(decision, Outcome):
            self.finish(queue, decision)
        elif decision is Turn.EXPIRE:
            self.finish(queue, self.expired(queue))
        elif decision is Turn.PASS:
            self._pass(queue)
        elif decision is Turn.ABSENT:
            self.loaded -= self.attendance.wait(queue, timer=self._timer())
        elif decision is Turn.WAIT:
            self._unheard(queue)
        elif (bot := self._audience.full(waiting, held_for=queue.trial.held_for(timer=self._timer()))) is not None:
            self._hold(queue, f"bot {bot} was sent as many signals without a receipt as its window holds")
        elif decision is Turn.MARK:
            self._mark(queue, waiting)
        else:
            self._publish(queue, waiting)

    def _turn(self, queue: Queue, row: Row) -> Turn | Outcome:
        waiting, now = row.waiting, self._clock()
        late = row.late(now=now, timer=self._timer())
        heard, tries = self._link.heard(waiting.topic), queue.trial.unheard
        reaches = not waiting.awaiting or self._audience.reaches(waiting, passed=queue.passed)
        return turn(
            waiting, now=now, late=late, heard=heard, tries=tries, superseded=queue.superseded, reaches=reaches,
            absent=self.attendance.awaits(queue),
        )  # fmt: skip

    def _pass(self, queue: Queue) -> None:
        """Leave the head to the journal: the lane is read again when its bots can be reached."""
        queue.finish()
        self.loaded -= 1
        self.put(queue)

    def _hold(self, queue: Queue, reason: str) -> None:
        queue.try_().hold(reason, timer=self._timer())
        queue.place = Place.HELD
        self._held.append(queue)

    def _mark(self, queue: Queue, row: Waiting) -> None:
        """A publish that must not happen twice is on disk as begun before it begins."""
        queue.place = Place.IN_FLIGHT
        self._in_flight += 1
        self._outcomes.add(outcome(row, Station.PUBLISHING, now=self._clock()), then=partial(self._marked, queue))

    def _marked(self, queue: Queue) -> None:
        self._in_flight -= 1
        row = queue.rows[0]
        if row.late(now=self._clock(), timer=self._timer()):
            self.finish(queue, self.expired(queue))
        elif self._link.free and not self.attendance.awaits(queue):
            self._publish(queue, row.waiting)
        else:
            self._unmark(queue, row.waiting)

    def _unmark(self, queue: Queue, row: Waiting) -> None:
        """It was not sent after all, and may be."""
        self._outcomes.add(outcome(row, Station.WAITING, now=self._clock()))
        self.put(queue)

    def _publish(self, queue: Queue, row: Waiting) -> None:
        previous = row.previous if row.put else queue.last_put.get(row.topic)
        try:
            answer = publish(row, previous=previous, link=self._link, now=self._clock())
        except PacketTooLarge as error:
            self.finish(queue, outcome(row, Station.DEAD, now=self._clock(), reason=str(error)))
            return
        except LinkLost:
            self._unmark(queue, row) if row.once else self.put(queue)
            return
        self._audience.sent(row)
        queue.place = Place.IN_FLIGHT
        self._in_flight += 1
        flight = Flight(queue, previous, self._audience.awaited(row), self._timer(), alone=self._alone)
        answer.add_done_callback(partial(self._land, flight))

    def _land(self, flight: Flight, answer: Future[Ack]) -> None:
        """Take an answer and use its place in the window at once: a turn of the loop later may be much later."""
        try:
            self._answered(flight, answer)
            self._pump()
        except Exception as error:  # noqa: BLE001 - run raises it
            self._error = error
            self._wanted.set()

    def _answered(self, flight: Flight, answer: Future[Ack]) -> None:
        self._in_flight -= 1
        queue, row = flight.queue, flight.queue.rows[0].waiting
        error = None if answer.cancelled() else answer.exception()
        if error is not None or answer.cancelled():
            self._lost(flight, row, str(error))
            return
        decision = self._decide(flight, row, answer.result())
        if answer.result().denied or answer.result().unheard:
            self._audience.not_sent(row)
        self._unheard(queue) if decision is None else self.finish(queue, decision, answered=True)

    def _decide(self, flight: Flight, row: Waiting, ack: Ack) -> Outcome | None:
        now, tries = self._clock(), flight.queue.trial.unheard
        told = self._link.version is Version.V5 or self._link.heard(row.topic) is not None
        return answered(row, ack, now=now, previous=flight.previous, told=told, tries=tries, awaiting=flight.awaiting)

    def _lost(self, flight: Flight, row: Waiting, problem: str) -> None:
        """The connection ended; it was this message's doing only where it was alone and the end came at once."""
        queue, now = flight.queue, self._timer()
        self._audience.not_sent(row)
        trial = queue.try_()
        trial.losses += 1
        trial.drops += flight.alone and now - flight.sent_at < _AT_ONCE
        if (decision := lost(row, now=self._clock(), drops=trial.drops, problem=problem)) is not None:
            self.finish(queue, decision)
            return
        trial.retry_at = now + retry_after(trial.losses - 1) if trial.losses > 1 else 0.0
        self.put(queue)

    def _unheard(self, queue: Queue) -> None:
        trial, now = queue.try_(), self._timer()
        trial.unheard += 1
        trial.losses, trial.drops, trial.absent = 0, 0, ""
        trial.retry_at = now + retry_after(trial.unheard)
        trial.hold(self._audience.nobody_listens(queue.rows[0].waiting), timer=now)
        self.put(queue)

    def expired(self, queue: Queue) -> Outcome:
        """The outcome of the head, whose time ran out."""
        row, trial, now = queue.rows[0].waiting, queue.trial, self._clock()
        unheard = trial.unheard > 0 or self._link.heard(row.topic) is False
        maybe = self._audience.awaited(row) if trial.losses else None
        absent = trial.absent or (self.attendance.absent(queue) if self._link.connected else "")
        return expired(row, now=now, unheard=unheard, tries=trial.unheard, sent_to=maybe, absent=absent)

    def finish(self, queue: Queue, result: Outcome, *, answered: bool = False) -> None:
        """Note the outcome of the head, and put the lane where its next row wants it."""
        self.end_head(queue, result, answered=answered)
        self.put(queue)

    def end_head(self, queue: Queue, result: Outcome, *, answered: bool = False) -> None:
        """Note the outcome of the head; ``answered``: it is what the broker said."""
        self._outcomes.add(result)
        row = queue.finish()
        self.loaded -= 1
        if result.station is Station.PUBLISHED and row.sequence is not None and not row.awaiting:
            queue.last_put[row.topic] = row.sequence
        self._outcomes.tell(row, result, answered=answered, missed=self._audience.misses(row))
