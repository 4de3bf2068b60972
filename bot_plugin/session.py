"""One run of a listener: from a message to its handlers, and what is said to the broker about it."""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bot_plugin import reading
from bot_plugin.desk import LoopDesk
from bot_plugin.dispatch import Verdict, decide
from bot_plugin.errors import InboxFull
from bot_plugin.inbox import KEEP_AFTER_EXPIRY, Arrival, Inbox, Recovered
from bot_plugin.lifecycle import Lifecycle
from bot_plugin.plan import Plan
from bot_plugin.presence import decode_card, encode_card
from bot_plugin.raw import RawHandlers
from bot_plugin.receipts import Receipts
from bot_plugin.recovery import decide_left
from bot_plugin.settings import PluginSettings
from bot_plugin.signal import Signal
from bot_plugin.transport import REFUSED, Link, Message
from bot_plugin.workers import Workers
from schemas import envelope as envelopes
from schemas.card import BotCard, Presence, Receipted, ReceiptedSchema
from schemas.errors import ContractError
from schemas.fields import to_micros
from schemas.receipt import Stage
from schemas.record import load

log = logging.getLogger("bot_plugin")

_PRUNE_EVERY = 60


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
    ) -> None:
        self._settings, self._plan, self._link, self._inbox = settings, plan, link, inbox
        self._card, self._group, self._now, self._monotonic = card, group, now, monotonic
        self._topics = settings.topics
        self._prefixes = reading.prefixes(settings.root)
        self.receipts = Receipts(link, self._topics.receipt(settings.bot))
        self._lifecycle = Lifecycle(bot=settings.bot, inbox=inbox, receipts=self.receipts, now=now, monotonic=monotonic)
        self._workers = Workers(
            self._lifecycle,
            group,
            threads=settings.threads,
            backlog=settings.backlog,
            on_interrupted=plan.interrupted,
        )
        self._raw = RawHandlers(plan.topics, group, threads=settings.threads)
        for mailbox in plan.mailboxes:
            mailbox.open(LoopDesk(self._lifecycle, group))
        self._stopping = False
        self._closed = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def recover(self, recovered: Recovered) -> None:
        """Take up what an earlier process left, before anything new comes."""
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
            for job in self._lifecycle.recovered(left):
                await self._workers.put(job)

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
            goodbye = self._publish_card(Presence.OFFLINE)
            if goodbye is not None:
                await asyncio.wait({goodbye}, timeout=2)

    def closed(self) -> None:
        """Release the messages that came too late to be taken: unacknowledged, so that the broker sends them again."""
        self._closed.set()

    def connected(self) -> None:
        """Show the card and repeat receipts: a new connection stands."""
        self._publish_card(Presence.ONLINE)
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
            self._see_card(message)
        elif message.topic == self._topics.receipted(self._settings.bot):
            self._see_receipted(message)
        self._raw.put(message)

    async def _take_signal(self, message: Message) -> None:
        match reading.read(message, root=self._settings.root, now=self._now, monotonic=self._monotonic):
            case Signal() as signal:
                await self._dispatch(signal, message)
            case reading.Withdrawn(withdrawal, expires_at):
                try:
                    await self._lifecycle.withdraw(withdrawal, expires_at=expires_at)
                except InboxFull as full:
                    log.error("the withdrawal of %s is not remembered: %s", withdrawal.signal, full)  # noqa: TRY400
            case reading.Unreadable(None, problem):
                log.error("a message on %s is no signal: %s", message.topic, problem)
            case reading.Unreadable(str(id_), problem):
                log.error("signal %s on %s cannot be read: %s", id_, message.topic, problem)
                verdict = Verdict(Stage.REFUSED, f"unreadable: {problem}")
                await self._refuse(id_, verdict, message, forget_at=self._now() + KEEP_AFTER_EXPIRY)

    async def _dispatch(self, signal: Signal, message: Message) -> None:
        decision = decide(signal, now=self._now(), registrations=self._plan.registrations, modes=self._settings.modes)
        forget_at = to_micros(signal.expires_at) + KEEP_AFTER_EXPIRY
        if decision.verdict is not None:
            await self._refuse(signal.id, decision.verdict, message, sequence=signal.sequence, forget_at=forget_at)
            return
        names = tuple(registration.name for registration in decision.run)
        try:
            if not await self._arrive(
                signal.id, message, handlers=names, sequence=signal.sequence, forget_at=forget_at
            ):
                return
        except InboxFull as full:
            verdict = Verdict(Stage.REFUSED, str(full))
            await self._refuse(signal.id, verdict, message, sequence=signal.sequence, forget_at=forget_at)
            return
        for job in self._lifecycle.received(signal, decision.run):
            await self._workers.put(job)

    async def _refuse(self, id_: str, verdict: Verdict, message: Message, *, forget_at: int, sequence: int = 0) -> None:
        with suppress(InboxFull):  # it is refused all the same
            if not await self._arrive(id_, message, handlers=(), sequence=sequence, forget_at=forget_at):
                return
        await self._lifecycle.refuse(id_, verdict, received_at=self._now())

    async def _arrive(
        self, id_: str, message: Message, *, handlers: tuple[str, ...], forget_at: int, sequence: int = 0
    ) -> bool:
        new = self._inbox.arrive(
            Arrival(
                id=id_,
                topic=message.topic,
                payload=message.payload,
                handlers=handlers,
                sequence=sequence,
                received_at=self._now(),
                forget_at=forget_at,
            )
        )
        if not new:
            await self._lifecycle.repeat(id_)
        return new

    def _see_card(self, message: Message) -> None:
        card = decode_card(message.payload)
        if card is None or card.instance == self._card.instance or message.retained:
            return
        if card.presence is Presence.CLAIM:
            log.warning("another process asks for the name %r: answering that it is in use", self._settings.bot)
            self._publish_card(Presence.ONLINE)
        elif card.presence is Presence.ONLINE:
            log.error("another process uses the name %r too: instance %s", self._settings.bot, card.instance)

    def _see_receipted(self, message: Message) -> None:
        try:
            receipted: Receipted = load(ReceiptedSchema, envelopes.decode(message.payload).data)
        except ContractError as error:
            log.error("a message on %s cannot be read: %s", message.topic, error)  # noqa: TRY400
        else:
            self.receipts.receipted(receipted.receipts)

    def _publish_card(self, presence: Presence) -> asyncio.Future[int] | None:
        try:
            published = self._link.publish(self._topics.bot(self._settings.bot), self.card(presence), retain=True)
        except ConnectionError as error:
            log.warning("the card was not published: %s", error)
            return None
        published.add_done_callback(_say_refused)
        return published

    def card(self, presence: Presence) -> bytes:
        """This process's card."""
        return encode_card(replace(self._card, presence=presence), now=self._now())

    async def _keep(self) -> None:
        seconds = 0
        while True:
            await asyncio.sleep(1)
            seconds += 1
            await self._lifecycle.sweep()
            self.receipts.retry()
            if confirmed := self.receipts.take_confirmed():
                self._inbox.confirm(confirmed)
            if seconds % _PRUNE_EVERY == 0:
                self._inbox.prune()
            await self._inbox.stored()


def _say_refused(published: asyncio.Future[int]) -> None:
    if not published.cancelled() and published.exception() is None and published.result() >= REFUSED:
        log.error("the broker refuses this bot's card (reason %#x): it may not publish there", published.result())
