"""Lets the signals of a topic through to the workers in their order: acts on what ``Order`` decides."""

from __future__ import annotations

import asyncio
import logging
from asyncio import TimerHandle
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from bot_plugin.dispatch import Verdict
from bot_plugin.job import Job
from bot_plugin.lifecycle import Lifecycle
from bot_plugin.order import PATIENCE, SLOW, WHILE_SLOW, Order, Place, Turn
from bot_plugin.registration import Registration
from bot_plugin.signal import Signal
from bot_plugin.workers import Workers
from schemas.envelope import sequence_text
from schemas.fields import to_micros
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin.order")

_Line = tuple[Place, Sequence[Job]]


class Sequencer:
    """What stands between an arrival and its worker.

    Args:
        released: for each topic the highest sequence that earlier processes let through.
        backlog: signals of a topic that may wait for those before them.
        may_come: whether those before a signal can arrive now.
        confirms: whether there is a gateway that confirms receipts.
        lag: how many microseconds it is behind with them.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        workers: Workers,
        *,
        released: Mapping[str, int],
        backlog: int,
        may_come: Callable[[], bool],
        confirms: Callable[[], bool],
        lag: Callable[[], int],
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        self._lifecycle, self._workers = lifecycle, workers
        self._may_come, self._confirms, self._lag = may_come, confirms, lag
        self._now, self._monotonic = now, monotonic
        self._order: Order[_Line] = Order(released, backlog=backlog)
        self._timer: TimerHandle | None = None
        self._due: int | None = None
        self._closed = False

    def connected(self) -> None:
        """A connection stands."""
        self._order.connected(monotonic=self._monotonic())
        self._look_later()
        self._ask()

    def look_again(self) -> None:
        """See, about every second, whether what was away is back, and whether what waits waits for somebody."""
        if self._order.paused and self._may_come():
            self._resume(younger_than=WHILE_SLOW)
        self._tell()
        self._ask()

    def gateway_answered(self, *, is_back: bool, silence: int) -> None:
        """The gateway confirmed something, after so many microseconds in which it was asked and silent."""
        if is_back or silence >= PATIENCE:
            self._resume()
        elif silence >= SLOW:
            self._resume(younger_than=WHILE_SLOW)
        self._tell()

    def _tell(self) -> None:
        now = self._monotonic()
        self._order.told(through=now - self._lag(), monotonic=now)
        self._look_later()

    def _resume(self, *, younger_than: int | None = None) -> None:
        self._order.resume(monotonic=self._monotonic(), younger_than=younger_than)
        self._look_later()

    def _ask(self) -> None:
        """Give the gateway something to confirm, so that its silence is noticed while a signal waits."""
        waiting = (job for _, jobs in self._order.waiting() for job in jobs if not job.ended)
        if (job := next(waiting, None)) is not None:
            self._lifecycle.ask(job)

    def repeated(self, place: Place) -> None:
        """A signal came that is known."""
        self._order.heard(place, monotonic=self._monotonic())

    def take(self, signal: Signal, run: Iterable[Registration], place: Place) -> None:
        """Let a new signal through to its handlers when its turn comes; end it where that has passed."""
        later = self._order.later(place)
        if later is None:
            self._enter(place, self._lifecycle.received(signal, run))
        else:
            reason = f"it came after a later signal of its topic (sequence {sequence_text(later)}) had its turn"
            verdict = Verdict(Stage.OUT_OF_ORDER, reason)
            self._lifecycle.refuse(signal.id, verdict, received_at=to_micros(signal.received_at))

    def resume(self, jobs: Sequence[Job], place: Place) -> None:
        """Let a signal through that an earlier process took: at once where it had its turn then."""
        if self._order.later(place) is None:
            self._enter(place, jobs)
        else:
            self._refuse(self._hand_over(jobs))

    def skip(self, place: Place) -> None:
        """Note a signal that runs nothing, so that none waits for it."""
        if self._order.later(place) is None:
            self._enter(place, ())

    def close(self) -> None:
        """Let nothing more through that waits now or later."""
        self._closed = True
        self._cancel()

    def _enter(self, place: Place, jobs: Sequence[Job]) -> None:
        known = not self._confirms()
        turns = self._order.take(place, (place, jobs), now=self._now(), monotonic=self._monotonic(), known=known)
        refused = self._let_through(turns)
        self._look_later()
        self._refuse(refused)

    def _let_through(self, turns: Iterable[Turn[_Line]]) -> list[tuple[Job, str]]:
        """Hand over, without a pause that another signal could come in by; what the workers would not take, and why."""
        refused: list[tuple[Job, str]] = []
        for turn in turns:
            place, jobs = turn.item
            if turn.missing is not None:
                self._report(place, turn.missing, jobs)
            refused += self._hand_over(jobs)
        return refused

    def _hand_over(self, jobs: Iterable[Job]) -> list[tuple[Job, str]]:
        reasons = [(job, self._workers.put(job)) for job in jobs]
        return [(job, reason) for job, reason in reasons if reason is not None]

    def _report(self, place: Place, missing: int, jobs: Sequence[Job]) -> None:
        note = f"the signal before it (sequence {sequence_text(missing)}) did not come in time"
        log.warning("%s: sequence %s goes on: %s", place.topic, sequence_text(place.sequence), note)
        for job in jobs:
            job.note = note

    def _refuse(self, refused: Iterable[tuple[Job, str]]) -> None:
        for job, reason in refused:
            if self._lifecycle.stopped:
                self._lifecycle.turn_away(job)
            else:
                self._lifecycle.finish(job, Stage.REFUSED, reason)

    def _look_later(self) -> None:
        due = self._order.next_due
        if due == self._due or self._closed:
            return
        self._cancel()
        self._due = due
        if due is not None:
            pause = max(0, due - self._monotonic()) / 1_000_000
            self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._due = None
        if not self._may_come():
            self._order.pause()
        refused = self._let_through(self._order.due(now=self._now(), monotonic=self._monotonic()))
        self._look_later()
        with suppress(OSError):  # it has ended the run already
            self._refuse(refused)
