"""One run of a listener: from a message to its handlers, and what is said to the broker about it."""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from bot_plugin import reading
from bot_plugin.absence import Absence
from bot_plugin.arrivals import Arrivals, place_of
from bot_plugin.busy import Busy
from bot_plugin.card import OwnCard
from bot_plugin.clock import GatewayClock
from bot_plugin.desk import LoopDesk
from bot_plugin.in_force import Heard
from bot_plugin.inbox import Inbox, Recovered
from bot_plugin.lifecycle import Lifecycle
from bot_plugin.plan import Plan
from bot_plugin.raw import RawHandlers
from bot_plugin.receipts import Receipts
from bot_plugin.recovery import decide_left, remembered
from bot_plugin.registration import Registration
from bot_plugin.sequencer import Sequencer
from bot_plugin.settings import PluginSettings
from bot_plugin.stale_calls import StaleCalls
from bot_plugin.transport import Link, Message, matches
from bot_plugin.turns import Turns
from bot_plugin.vigil import Vigil
from bot_plugin.workers import Workers
from schemas import envelope as envelopes
from schemas.card import BotCard, Presence, Receipted, ReceiptedSchema
from schemas.errors import ContractError
from schemas.fields import to_micros
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
        self._settings, self.plan, self._link, self._inbox = settings, plan, link, inbox
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
        turns = Turns()
        self._workers = Workers(
            self._lifecycle,
            group,
            turns,
            threads=settings.threads,
            backlog=settings.backlog,
            on_interrupted=lambda handler: self.plan.told_of(handler),  # noqa: PLW0108  # the plan changes
        )
        self._absence = Absence(
            self._lifecycle,
            self._workers,
            plan.registrations,
            backlog=settings.backlog,
            monotonic=monotonic,
        )
        self._heard = Heard()
        self._stale_calls = StaleCalls(group, turns, threads=settings.threads)
        self._vigil = Vigil(self._heard, self._stale_calls, monotonic=monotonic)
        self._vigil.change(plan.watches)
        self._sequencer = self._ordered(released)
        self._arrivals = self._intake()
        self._raw = RawHandlers(plan.topics, group, threads=settings.threads)
        self._desk = LoopDesk(self._lifecycle, group)
        plan.open(self._desk)
        self._show(plan)
        self._selected: tuple[tuple[Registration, ...], tuple[str, ...]] = ((), ())
        self._stopping = False
        self._closed = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def _ordered(self, released: Mapping[str, int]) -> Sequencer:
        return Sequencer(
            self._lifecycle,
            self._workers,
            released=released,
            backlog=self._settings.backlog,
            may_come=lambda: self._link.connected and not self.receipts.unanswered,
            confirms=lambda: self.receipts.shown,
            lag=lambda: int(self.receipts.lag * 1e6),
            now=self._latest,
            monotonic=self._monotonic,
        )

    def _intake(self) -> Arrivals:
        return Arrivals(
            self._settings,
            inbox=self._inbox,
            lifecycle=self._lifecycle,
            sequencer=self._sequencer,
            gateway=self._gateway,
            connected=lambda: self._link.connected,
            wanted=lambda: self._absence.wanted,
            vigil=self._vigil,
            now=self._now,
            monotonic=self._monotonic,
        )

    def _latest(self) -> int:
        return self._gateway.latest(now=self._now(), monotonic=self._monotonic())

    def _show(self, plan: Plan) -> None:
        for view in plan.views:
            view.open(self._heard)

    def recover(self, recovered: Recovered) -> None:
        """Take up what an earlier process left, before anything new comes."""
        self.receipts.shown = bool(recovered.sequences)
        for receipt in recovered.owed:
            self.receipts.send(receipt)
        reads: Any = {"modes": self._settings.modes, "root": self._settings.root}
        reads |= {"now": self._now, "monotonic": self._monotonic}
        for signal, ended in remembered(recovered.predictions, **reads, latest=self._latest):
            self._vigil.see(signal, ended=ended)
        for left in decide_left(
            recovered.unfinished,
            **reads,
            registrations=self.plan.registrations,
            more_may_come=self.plan.more_may_come,
        ):
            for handler, verdict in left.ended.items():
                self._lifecycle.refuse(left.id, verdict, received_at=left.received_at, handler=handler)
            if left.signal is not None:
                self._sequencer.resume(self._lifecycle.recovered(left), place_of(left.signal, left.topic))

    def change(self, plan: Plan, card: BotCard) -> Busy:
        """Call the handlers of another plan from now on; the calls that still run in those that it does not have.

        What waits for these waits until they are here again, or it expires.
        """
        before, self.plan, self._card.card = self.plan, plan, card
        plan.without(before).open(self._desk)
        self._show(plan.without(before))
        jobs, calls = self._absence.change(plan.registrations), self._raw.change(plan.topics)
        stale = self._vigil.change(plan.watches)
        before.without(plan).close(None)
        return Busy(tuple(jobs), tuple(calls), tuple(stale))

    async def released(self, busy: Busy) -> None:
        """Return when the calls have ended; they have the settings' grace for it, and are cut short then."""
        grace = self._settings.grace
        await asyncio.gather(
            self._absence.released(busy.jobs, grace=grace),
            self._raw.released(busy.calls, grace=grace),
            self._stale_calls.released(busy.stale, grace=grace),
        )

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
            self._lifecycle.stop()
            self._stale_calls.stop()
            await asyncio.gather(
                *(
                    part.idle(timeout=self._settings.grace)
                    for part in (self._workers, self._lifecycle, self._stale_calls)
                )
            )
        finally:
            self._stopping = True
            for task in (keeper, stopped):
                task.cancel()
            self._sequencer.close()
            self._workers.close()
            self._raw.close()
            self._stale_calls.close()

    async def farewell(self) -> None:
        """End what is left, send its receipts and say goodbye, as far as the broker is there."""
        self._lifecycle.close()
        with suppress(OSError):  # it has ended the run already
            await self._inbox.stored()
        await self.receipts.drained(timeout=max(2, self._settings.grace))
        with suppress(OSError):
            self._inbox.confirm(self.receipts.take_confirmed())
        if self._link.connected:
            goodbye = self._card.show(Presence.OFFLINE)
            if goodbye is not None:
                await asyncio.wait({goodbye}, timeout=2)

    def closed(self) -> None:
        """Release the messages that came too late to be taken: unacknowledged, so that the broker sends them again."""
        self._closed.set()

    def connected(self) -> None:
        """Show the card and repeat receipts: a new connection stands."""
        self._sequencer.connected()
        self.show_card()
        self.receipts.reconnected()

    def show_card(self) -> None:
        """Say that this bot is online, and what it listens to."""
        self._card.show(Presence.ONLINE)

    async def receive(self, message: Message) -> None:
        """Take a message; it may be acknowledged when this returns."""
        if not self._stopping:
            try:
                self._take(message)
                await self._inbox.stored()
            except Exception as error:  # noqa: BLE001  # it ends the run, through until()
                if not self._failed.done():
                    self._failed.set_exception(error)
                    self._failed.exception()  # where another part ends the run first, nobody asks for it
            else:
                return
        await self._closed.wait()

    def _take(self, message: Message) -> None:
        if message.topic.startswith(self._prefixes) and self._listens(message.topic):
            self._arrivals.take(message)
        elif message.topic == self._topics.bot(self._settings.bot):
            self._card.see(message)
        elif message.topic == self._topics.receipted(self._settings.bot):
            self._see_receipted(message)
        self._raw.put(message)

    def _listens(self, topic: str) -> bool:
        """Whether signals of a topic are this bot's to end; else the gateway keeps them for whoever comes.

        A subscription may outlive the handlers for which it was made.
        """
        wanted = self._absence.wanted
        if wanted and not self.plan.more_may_come:
            return True
        if self._selected[0] is not wanted:
            self._selected = wanted, Plan(wanted).signal_filters(self._settings)
        return any(matches(each, topic) for each in self._selected[1])

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
            self._lifecycle.sweep()
            self._absence.sweep()
            self._vigil.look()
            self.receipts.retry()
            self._sequencer.look_again()
            if news := self._gateway.news(now=self._now(), monotonic=self._monotonic()):
                log.warning("%s", news)
            if confirmed := self.receipts.take_confirmed():
                self._inbox.confirm(confirmed)
            self._inbox.prune()
            await self._inbox.stored()
