"""The notifier: facts in, notifications out, target by target; nothing here waits for a target."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.notify.channel import Channel, open_channel
from gateway.notify.grouping import Grouping
from gateway.notify.problems import Problem
from gateway.notify.sender import Sender
from gateway.notify.settings import NotifySettings, Target
from gateway.notify.silence import Silence
from gateway.notify.watch import Watch
from gateway.telemetry import Several, Telemetry

_TICK = 0.25
_AFTER_ERROR = 60.0
_LAST = 3.0
"""Seconds at the end of the gateway in which what is to be told is still sent."""


@dataclass(frozen=True, slots=True)
class _Outlet:
    """One target, what it is to be told, and who tells it."""

    target: Target
    grouping: Grouping
    sender: Sender


class Notifier:
    """Tells somebody.

    Args:
        settings: the targets, and when.
        expected: by source, the seconds within which a signal should come; a silent one is reported without a target.
        telemetry: what is known and done here is reported to it.
        clock: microseconds since the epoch.
        timer: seconds that never go back.
        channel: opens the way to a target.
    """

    def __init__(
        self,
        settings: NotifySettings,
        *,
        expected: Mapping[str, float],
        telemetry: Telemetry,
        clock: Callable[[], int],
        timer: Callable[[], float] = time.monotonic,
        channel: Callable[[str], Channel] = open_channel,
    ) -> None:
        self._telemetry = telemetry
        self._timer = timer
        self._outlets = [
            _Outlet(target, Grouping(settings.pace), Sender(target.name, channel(target.url)))
            for target in settings.targets
        ]
        self._watch = Watch(self.tell, clock=clock, timer=timer, broker_away_after=settings.broker_away_after)
        self._silence = Silence(expected, telemetry=Several(telemetry, self._watch), timer=timer)
        self.listeners: tuple[Telemetry, ...] = (self._watch, *((self._silence,) if expected else ()))
        """Who must hear the gateway's facts: problems are counted also where nobody is to be told."""

    def tell(self, problem: Problem) -> None:
        """Take a problem for the targets that want it."""
        self._telemetry.problem(kind=problem.kind)
        now = self._timer()
        for outlet in self._outlets:
            if outlet.target.wants(problem):
                outlet.grouping.add(problem, now=now)

    async def run(self) -> None:
        """Tell until cancelled."""
        for outlet in self._outlets:
            outlet.sender.start()
        pause = _TICK
        while True:
            await asyncio.sleep(pause)
            pause = _TICK
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - that nobody is told is no reason to end the gateway
                self._telemetry.unexpected(where="notify", error=error)
                pause = _AFTER_ERROR

    async def drained(self) -> None:
        """Send what is known now, as far as targets take it within a few seconds."""
        self._look(flush=True)
        for outlet in self._outlets:
            outlet.sender.hurry()
        end = self._timer() + _LAST
        while self._timer() < end and not all(outlet.sender.idle for outlet in self._outlets):  # noqa: ASYNC110
            await asyncio.sleep(_TICK / 10)
        for outlet in self._outlets:
            outlet.sender.stop()
        self._report()

    def _look(self, *, flush: bool = False) -> None:
        self._silence.look()
        self._watch.look()
        now = self._timer()
        for outlet in self._outlets:
            notification = outlet.grouping.due(now=now, flush=flush)
            if notification is not None:
                outlet.sender.offer(notification)
        self._report()

    def _report(self) -> None:
        for outlet in self._outlets:
            for result in outlet.sender.results():
                self._telemetry.notified(target=outlet.sender.name, outcome=result.outcome, problem=result.problem)
