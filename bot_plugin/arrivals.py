"""From a message on a topic of signals to the handlers that want it, or to the receipt that says why none does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from bot_plugin import reading
from bot_plugin.clock import GatewayClock
from bot_plugin.dispatch import Verdict, decide
from bot_plugin.errors import InboxFull
from bot_plugin.inbox import Arrival, Inbox, forget_at
from bot_plugin.lifecycle import Lifecycle
from bot_plugin.order import Place
from bot_plugin.registration import Registration
from bot_plugin.sequencer import Sequencer
from bot_plugin.settings import PluginSettings
from bot_plugin.signal import Signal
from bot_plugin.transport import Message
from schemas.fields import to_micros
from schemas.receipt import Stage

log = logging.getLogger("bot_plugin")


class Arrivals:
    """Takes the messages of the topics of signals. What it takes is in the inbox when that has stored.

    Args:
        connected: whether the connection stands, with its subscriptions.
        wanted: what the handlers want.
        predicted: is told of each prediction that is true, also where the handlers leave it out.
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
        predicted: Callable[[Signal], None],
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> None:
        self._settings, self._inbox, self._lifecycle = settings, inbox, lifecycle
        self._sequencer, self._gateway = sequencer, gateway
        self._connected, self._wanted, self._predicted = connected, wanted, predicted
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
                self._end(id_, verdict, message, expires_at=self._now(), place=place)

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
        place = place_of(signal, message.topic)
        expires_at = to_micros(signal.expires_at)
        if decision.fit and signal.model is not None:
            self._inbox.predict(signal.model.name, self._arrival(signal.id, message, (), expires_at, place))
            self._predicted(signal)
        if decision.verdict is not None:
            self._end(signal.id, decision.verdict, message, expires_at=expires_at, place=place)
            return
        names = tuple(registration.name for registration in decision.run)
        try:
            if not self._arrive(signal.id, message, handlers=names, expires_at=expires_at, place=place):
                return
        except InboxFull as full:
            verdict = Verdict(Stage.REFUSED, str(full))
            self._end(signal.id, verdict, message, expires_at=expires_at, place=place)
            return
        self._sequencer.take(signal, decision.run, place)

    def _withdraw(self, withdrawn: reading.Withdrawn, message: Message) -> None:
        """Carry out first, as that may be repeated; what is known of the withdrawal itself says that it was."""
        self._gateway.observe(withdrawn.written_at, monotonic=self._monotonic())
        target = withdrawn.withdrawal.signal
        try:
            self._lifecycle.withdraw(withdrawn.withdrawal, expires_at=withdrawn.expires_at)
            verdict = Verdict(Stage.HANDLED, f"signal {target} is not started from now on")
        except InboxFull as full:
            log.error("the withdrawal of %s is not remembered: %s", target, full)  # noqa: TRY400
            verdict = Verdict(Stage.REFUSED, str(full))
        self._end(withdrawn.id, verdict, message, expires_at=withdrawn.expires_at, place=withdrawn.place)

    def _end(self, id_: str, verdict: Verdict, message: Message, *, expires_at: int, place: Place | None) -> None:
        """End a message that no handler will see, unless it was ended before."""
        with suppress(InboxFull):  # it ends all the same
            if not self._arrive(id_, message, handlers=(), expires_at=expires_at, place=place):
                return
        if place is not None:
            self._sequencer.skip(place)
        self._lifecycle.refuse(id_, verdict, received_at=self._now())

    def _arrive(
        self, id_: str, message: Message, *, handlers: tuple[str, ...], expires_at: int, place: Place | None
    ) -> bool:
        new = self._inbox.arrive(self._arrival(id_, message, handlers, expires_at, place))
        if not new:
            if place is not None:
                self._sequencer.repeated(place)
            self._lifecycle.repeat(id_)
        return new

    def _arrival(
        self, id_: str, message: Message, handlers: tuple[str, ...], expires_at: int, place: Place | None
    ) -> Arrival:
        now = self._now()
        return Arrival(
            id=id_,
            topic=message.topic,
            payload=message.payload,
            handlers=handlers,
            sequence=0 if place is None else place.sequence,
            received_at=now,
            forget_at=forget_at(expires_at, now=now),
        )

    def _latest(self) -> int:
        return self._gateway.latest(now=self._now(), monotonic=self._monotonic())


def place_of(signal: Signal, topic: str) -> Place:
    """Where a signal stands among those of its topic."""
    return Place(topic=topic, sequence=signal.sequence, previous=signal.previous, deadline=signal.deadline)
