"""One run of a listener: from a message to its handlers, and what is said to the broker about it."""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from bot_plugin import reading
from bot_plugin.card import OwnCard
from bot_plugin.clock import GatewayClock
from bot_plugin.desk import LoopDesk
from bot_plugin.dispatch import Verdict, decide
from bot_plugin.errors import InboxFull
from bot_plugin.inbox import Arrival, Inbox, Recovered, forget_at
from bot_plugin.lifecycle import Lifecycle
from bot_plugin.order import Place
from bot_plugin.plan import Plan
from bot_plugin.raw import RawHandlers
from bot_plugin.receipts import Receipts
from bot_plugin.recovery import decide_left
from bot_plugin.sequencer import Sequencer
from bot_plugin.settings import PluginSettings
from bot_plugin.signal import Signal
from bot_plugin.transport import Link, Message
from bot_plugin.workers import Workers
from schemas import envelope as envelopes
from schemas.card import BotCard, Presence, Receipted, ReceiptedSchema
from schemas.errors import ContractError
from schemas.fields import to_micros
from schemas.receipt import Stage
from schemas.record import load

log = logging.getLogger("bot_plugin")


class Session:
    """The parts of one run, and the road between them."""

    def __init__(
        self,
        settings: PluginSettings,
        plan: Plan,
        *,
        link: Link,
        inbox: Inbox,
        card: BotCard,
        group: TaskGroup,
        now: Callable[[], int],
        monotonic: Callable[[], int],
        released: Mapping[str, int],
    ) -> None:
        self._settings, self._plan, self._link, self._inbox = settings, plan, link, inbox
        self._group, self._now, self._monotonic = group, now, monotonic
        self._topics = settings.topics
        self._card = OwnCard(link, self._topics.bot(settings.bot), card, now=now)
        self._prefixes = reading.prefixes(settings.root)
        self.receipts = Receipts(link, self._topics.receipt(settings.bot))
        self._gateway = GatewayClock()
        self._lifecycle = Lifecycle(
            bot=settings.bot,
            inbox=inbox,
            receipts=self.receipts,
            gateway=self._gateway,
            now=now,
            monotonic=monotonic,
        )
        self._workers = Workers(
            self._lifecycle,
            group,
            threads=settings.threads,
            backlog=settings.backlog,
            on_interrupted=plan.interrupted,
        )
        self._sequencer = Sequencer(
            self._lifecycle,
            self._workers,
            released=released,
            backlog=settings.backlog,
            group=group,
            may_come=lambda: link.connected and not self.receipts.unanswered,
            confirms=lambda: self.receipts.shown,
            lag=lambda: int(self.receipts.lag * 1e6),
            now=self._latest,
            monotonic=monotonic,
        )
        self._raw = RawHandlers(plan.topics, group, threads=settings.threads)
        for mailbox in plan.mailboxes:
            mailbox.open(LoopDesk(self._lifecycle, group))
        self._stopping = False
        self._closed = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def recover(self, recovered: Recovered) -> None:
        """Take up what an earlier process left, before anything new comes."""
        self.receipts.shown = bool(recovered.sequences)
        for receipt in recovered.owed:
            self.receipts.send(receipt)
        for left in decide_left(
            recovered.unfinished,
            registrations=self._plan.registrations,
            modes=self._settings.modes,
            root=self._settings.root,
            now=self._now,
            monotonic=self._monotonic,
        ):
            for handler, verdict in left.ended.items():
                await self._lifecycle.refuse(left.id, verdict, received_at=left.received_at, handler=handler)
            if left.signal is not None:
                await self._sequencer.resume(self._lifecycle.recovered(left), _place(left.signal, left.topic))

    async def until(self, stop: asyncio.Event) -> None:
        """Run until stopped, then start nothing more and let what runs end within the settings' grace.

        Raises:
            OSError: the inbox cannot store.
        """
        keeper = self._group.create_task(self._keep(), name="bot_plugin.housekeeping")
        stopped: asyncio.Future[Any] = self._group.create_task(stop.wait(), name="bot_plugin.stop")
        try:
            await asyncio.wait([stopped, self._failed], return_when=asyncio.FIRST_COMPLETED)
            self._stopping = True
            if self._failed.done():
                self._failed.result()
            await self._lifecycle.stop()
            grace = self._settings.grace
            await asyncio.gather(self._workers.idle(timeout=grace), self._lifecycle.idle(timeout=grace))
        finally:
            self._stopping = True
            for task in (keeper, stopped):
                task.cancel()
            self._sequencer.close()
            self._workers.close()
            self._raw.close()

    async def farewell(self) -> None:
        """End what is left, send its receipts and say goodbye, as far as the broker is there."""
        await self._lifecycle.close()
        with suppress(OSError):  # it has ended the run already
            await self._inbox.stored()
        await self.receipts.drained(timeout=max(2, self._settings.grace))
        with suppress(OSError):
            self._inbox.confirm(self.receipts.take_confirmed())
        if self._link.connected:
            goodbye = self._card.show(Presence.OFFLINE)
            if goodbye is not None:
                await asyncio.wait({goodbye}, timeout=2)

    def change(self, plan: Plan, card: BotCard) -> None:
        """Listen to what another plan wants from now on."""
        self._plan = plan
        self._card.card = card
        for mailbox in plan.mailboxes:
            mailbox.open(LoopDesk(self._lifecycle, self._group))

    async def released(self, plan: Plan) -> None:
        """Return when no handler of a plan is called any more."""

    def closed(self) -> None:
        """Release the messages that came too late to be taken: unacknowledged, so that the broker sends them again."""
        self._closed.set()

    def connected(self) -> None:
        """Show the card and repeat receipts: a new connection stands."""
        self._sequencer.connected()
        self._card.show(Presence.ONLINE)
        self.receipts.reconnected()

    async def receive(self, message: Message) -> None:
        """Take a message; it may be acknowledged when this returns."""
        if not self._stopping:
            try:
                await self._take(message)
                await self._inbox.stored()
            except Exception as error:  # noqa: BLE001  # it ends the run, through until()
                if not self._failed.done():
                    self._failed.set_exception(error)
                    self._failed.exception()  # where another part ends the run first, nobody asks for it
            else:
                return
        await self._closed.wait()

    async def _take(self, message: Message) -> None:
        if message.topic.startswith(self._prefixes) and self._plan.registrations:
            await self._take_signal(message)
        elif message.topic == self._topics.bot(self._settings.bot):
            self._card.see(message)
        elif message.topic == self._topics.receipted(self._settings.bot):
            self._see_receipted(message)
        self._raw.put(message)

    async def _take_signal(self, message: Message) -> None:
        if not self._link.connected:
            self._sequencer.connected()  # what a session kept comes before its subscriptions are answered
        root = self._settings.root
        match reading.read(message, root=root, now=self._now, monotonic=self._monotonic, latest=self._latest):
            case Signal() as signal:
                await self._dispatch(signal, message)
            case reading.Withdrawn() as withdrawn:
                await self._withdraw(withdrawn, message)
            case reading.Unreadable(None, problem):
                log.error("a message on %s is no signal: %s", message.topic, problem)
            case reading.Unreadable(str(id_), problem, place):
                log.error("signal %s on %s cannot be read: %s", id_, message.topic, problem)
                verdict = Verdict(Stage.REFUSED, f"unreadable: {problem}")
                await self._end(id_, verdict, message, expires_at=self._now(), place=place)

    async def _dispatch(self, signal: Signal, message: Message) -> None:
        now, monotonic = self._now(), self._monotonic()
        self._gateway.observe(to_micros(signal.time), monotonic=monotonic)
        decision = decide(
            signal,
            now=now,
            registrations=self._plan.registrations,
            modes=self._settings.modes,
            offset=self._gateway.offset(now=now, monotonic=monotonic),
        )
        place = _place(signal, message.topic)
        expires_at = to_micros(signal.expires_at)
        if decision.verdict is not None:
            await self._end(signal.id, decision.verdict, message, expires_at=expires_at, place=place)
            return
        names = tuple(registration.name for registration in decision.run)
        try:
            if not await self._arrive(signal.id, message, handlers=names, expires_at=expires_at, place=place):
                return
        except InboxFull as full:
            verdict = Verdict(Stage.REFUSED, str(full))
            await self._end(signal.id, verdict, message, expires_at=expires_at, place=place)
            return
        await self._sequencer.take(signal, decision.run, place)

    async def _withdraw(self, withdrawn: reading.Withdrawn, message: Message) -> None:
        """Carry out first, as that may be repeated; what is known of the withdrawal itself says that it was."""
        self._gateway.observe(withdrawn.written_at, monotonic=self._monotonic())
        target = withdrawn.withdrawal.signal
        try:
            await self._lifecycle.withdraw(withdrawn.withdrawal, expires_at=withdrawn.expires_at)
            verdict = Verdict(Stage.HANDLED, f"signal {target} is not started from now on")
        except InboxFull as full:
            log.error("the withdrawal of %s is not remembered: %s", target, full)  # noqa: TRY400
            verdict = Verdict(Stage.REFUSED, str(full))
        await self._end(withdrawn.id, verdict, message, expires_at=withdrawn.expires_at, place=withdrawn.place)

    async def _end(self, id_: str, verdict: Verdict, message: Message, *, expires_at: int, place: Place | None) -> None:
        """End a message that no handler will see, unless it was ended before."""
        with suppress(InboxFull):  # it ends all the same
            if not await self._arrive(id_, message, handlers=(), expires_at=expires_at, place=place):
                return
        if place is not None:
            await self._sequencer.skip(place)
        await self._lifecycle.refuse(id_, verdict, received_at=self._now())

    async def _arrive(
        self, id_: str, message: Message, *, handlers: tuple[str, ...], expires_at: int, place: Place | None
    ) -> bool:
        now = self._now()
        new = self._inbox.arrive(
            Arrival(
                id=id_,
                topic=message.topic,
                payload=message.payload,
                handlers=handlers,
                sequence=0 if place is None else place.sequence,
                received_at=now,
                forget_at=forget_at(expires_at, now=now),
            )
        )
        if not new:
            if place is not None:
                self._sequencer.repeated(place)
            await self._lifecycle.repeat(id_)
        return new

    def _latest(self) -> int:
        return self._gateway.latest(now=self._now(), monotonic=self._monotonic())

    def _see_receipted(self, message: Message) -> None:
        try:
            envelope = envelopes.decode(message.payload)
            receipted: Receipted = load(ReceiptedSchema, envelope.data)
        except ContractError as error:
            log.error("a message on %s cannot be read: %s", message.topic, error)  # noqa: TRY400
        else:
            self._gateway.observe(to_micros(envelope.time), monotonic=self._monotonic())
            silence = self.receipts.receipted(receipted.receipts)
            self._sequencer.gateway_answered(is_back=not receipted.receipts, silence=int(silence * 1e6))

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._lifecycle.sweep()
            self.receipts.retry()
            self._sequencer.look_again()
            if news := self._gateway.news(now=self._now(), monotonic=self._monotonic()):
                log.warning("%s", news)
            if confirmed := self.receipts.take_confirmed():
                self._inbox.confirm(confirmed)
            self._inbox.prune()
            await self._inbox.stored()


def _place(signal: Signal, topic: str) -> Place:
    return Place(topic=topic, sequence=signal.sequence, previous=signal.previous, deadline=signal.deadline)
