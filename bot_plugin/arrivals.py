"""From a message on a topic of signals to the handlers that want it, or to the receipt that says why none does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from bot_plugin import reading
from bot_plugin.clock import GatewayClock
from bot_plugin.dispatch import Decision, Verdict, decide
from bot_plugin.errors import InboxFull
from bot_plugin.in_force import series_of
from bot_plugin.inbox import WITHDRAWN, Arrival, Inbox, forget_at
from bot_plugin.lifecycle import Lifecycle
from bot_plugin.order import Place
from bot_plugin.registration import Registration
from bot_plugin.sequencer import Sequencer
from bot_plugin.settings import PluginSettings
from bot_plugin.signal import Signal
from bot_plugin.transport import Message
from bot_plugin.vigil import Vigil
from schemas.fields import to_micros
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin")


class Arrivals:
    """Takes the messages of the topics of signals. What it takes is in the inbox when that has stored.

    Args:
        connected: whether the connection stands, with its subscriptions.
        wanted: what the handlers want.
        vigil: is told of each prediction, also where the handlers leave it out.
        now: the bot's clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, microseconds.
    """

    def __init__(
        self,
        settings: PluginSettings,
        *,
        inbox: Inbox,
        lifecycle: Lifecycle,
        sequencer: Sequencer,
        gateway: GatewayClock,
        connected: Callable[[], bool],
        wanted: Callable[[], Sequence[Registration]],
        vigil: Vigil,
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        self._settings, self._inbox, self._lifecycle = settings, inbox, lifecycle
        self._sequencer, self._gateway = sequencer, gateway
        self._connected, self._wanted, self._vigil = connected, wanted, vigil
        self._now, self._monotonic = now, monotonic

    def take(self, message: Message) -> None:
        """Take a message.

        Raises:
            OSError: the inbox stores nothing any more.
        """
        if not self._connected():
            self._sequencer.connected()  # what a session kept comes before its subscriptions are answered
        root = self._settings.root
        match reading.read(message, root=root, now=self._now, monotonic=self._monotonic, latest=self._latest):
            case Signal() as signal:
                self._dispatch(signal, message)
            case reading.Withdrawn() as withdrawn:
                self._withdraw(withdrawn, message)
            case reading.Unreadable(None, problem):
                log.error("a message on %s is no signal: %s", message.topic, problem)
            case reading.Unreadable(str(id_), problem, place):
                log.error("signal %s on %s cannot be read: %s", id_, message.topic, problem)
                verdict = Verdict(Stage.REFUSED, f"unreadable: {problem}")
                sequence = 0 if place is None else place.sequence
                self._end(self._arrival(id_, message, expires_at=self._now(), sequence=sequence), verdict, place)

    def _dispatch(self, signal: Signal, message: Message) -> None:
        now, monotonic = self._now(), self._monotonic()
        self._gateway.observe(to_micros(signal.time), monotonic=monotonic)
        decision = decide(
            signal,
            now=now,
            registrations=self._wanted(),
            modes=self._settings.modes,
            offset=self._gateway.offset(now=now, monotonic=monotonic),
        )
        arrival = self._arrival(signal.id, message, expires_at=to_micros(signal.expires_at), sequence=signal.sequence)
        if signal.mode in self._settings.modes and (series := series_of(signal)) is not None:
            arrival = replace(arrival, series=series, ended=_refused(decision))
        new = self._take(signal, decision, arrival, place_of(signal, message.topic))
        if arrival.series is not None:
            self._vigil.see(signal, ended=arrival.ended if new else "it was withdrawn, or ended, before")

    def _take(self, signal: Signal, decision: Decision, arrival: Arrival, place: Place) -> bool:
        """Give a signal to those that are to run it, or end it; False where it is known."""
        verdict = decision.verdict
        if verdict is None:
            names = tuple(registration.name for registration in decision.run)
            try:
                if new := self._arrive(replace(arrival, handlers=names), place):
                    self._sequencer.take(signal, decision.run, place)
            except InboxFull as full:
                verdict = Verdict(Stage.REFUSED, str(full))
            else:
                return new
        return self._end(arrival, verdict, place)

    def _withdraw(self, withdrawn: reading.Withdrawn, message: Message) -> None:
        """Carry out first, as that may be repeated; what is known of the withdrawal itself says that it was."""
        self._gateway.observe(withdrawn.written_at, monotonic=self._monotonic())
        target = withdrawn.withdrawal.signal
        self._vigil.end(target, WITHDRAWN)
        try:
            self._lifecycle.withdraw(withdrawn.withdrawal, expires_at=withdrawn.expires_at)
            verdict = Verdict(Stage.HANDLED, f"signal {target} is not started from now on")
        except InboxFull as full:
            log.error("the withdrawal of %s is not remembered: %s", target, full)  # noqa: TRY400
            verdict = Verdict(Stage.REFUSED, str(full))
        sequence = 0 if withdrawn.place is None else withdrawn.place.sequence
        arrival = self._arrival(withdrawn.id, message, expires_at=withdrawn.expires_at, sequence=sequence)
        self._end(arrival, verdict, withdrawn.place)

    def _end(self, arrival: Arrival, verdict: Verdict, place: Place | None) -> bool:
        """End a message that no handler will see, unless it was ended before; False where it was."""
        with suppress(InboxFull):  # it ends all the same
            if not self._arrive(arrival, place):
                return False
        if place is not None:
            self._sequencer.skip(place)
        self._lifecycle.refuse(arrival.id, verdict, received_at=self._now())
        return True

    def _arrive(self, arrival: Arrival, place: Place | None) -> bool:
        new = self._inbox.arrive(arrival)
        if not new:
            if place is not None:
                self._sequencer.repeated(place)
            self._lifecycle.repeat(arrival.id)
        return new

    def _arrival(self, id_: str, message: Message, *, expires_at: int, sequence: int) -> Arrival:
        now = self._now()
        return Arrival(
            id=id_,
            topic=message.topic,
            payload=message.payload,
            handlers=(),
            sequence=sequence,
            received_at=now,
            forget_at=forget_at(expires_at, now=now),
        )

    def _latest(self) -> int:
        return self._gateway.latest(now=self._now(), monotonic=self._monotonic())


def _refused(decision: Decision) -> str | None:
    """Why a prediction ends those before it and counts for nothing itself; None where it counts."""
    if decision.fit or decision.verdict is None:
        return None
    return f"the newest prediction was refused: {decision.verdict.reason}"


def place_of(signal: Signal, topic: str) -> Place:
    """Where a signal stands among those of its topic."""
    return Place(topic=topic, sequence=signal.sequence, previous=signal.previous, deadline=signal.deadline)
