"""One run of a bot from start to end: take the name, open the memory, connect, work, say goodbye."""

from __future__ import annotations

import asyncio
import uuid
from asyncio import Event, Task, TaskGroup
from collections.abc import Callable
from dataclasses import dataclass, replace

from bot_plugin.errors import NameTaken, SettingsError, TakenOver
from bot_plugin.inbox import Inbox
from bot_plugin.plan import Plan
from bot_plugin.presence import Claimant, encode_card, lock
from bot_plugin.reading import BODIES
from bot_plugin.session import Session
from bot_plugin.settings import PluginSettings
from bot_plugin.transport import Link, LinkSettings, Will
from bot_plugin.version import VERSION
from schemas.card import BotCard, Presence
from schemas.fields import from_micros

Connect = Callable[[LinkSettings], Link]
"""Makes a Link, not connected yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What one run needs.

    Args:
        claim: whether to ask the broker first if another process has the name.
        on_connect: is called after each connection, when its subscriptions stand.
    """

    settings: PluginSettings
    plan: Plan
    inbox: Inbox
    connect: Connect
    now: Callable[[], int]
    claim: bool
    on_connect: Callable[[], None]

    async def run(self, stop: Event) -> None:
        """Run until stopped or cancelled.

        Raises:
            NameTaken, LinkRefused, SettingsError: as the listener says.
        """
        if problems := list(self.plan.problems(self.settings)):
            raise SettingsError(problems)
        try:
            with lock(self.settings.state_dir, self.settings.bot):
                await self._run(stop)
        except BaseExceptionGroup as group:
            raise _only(group) from None

    async def _run(self, stop: Event) -> None:
        card = self._card()
        await self.inbox.open()
        try:
            async with TaskGroup() as lines:
                claimed = await self._take_name(lines, card) if self.claim else None
                await self._work(lines, card, claimed, stop)
        finally:
            await self.inbox.close()

    async def _work(self, lines: TaskGroup, card: BotCard, claimed: Task[None] | None, stop: Event) -> None:
        link = self.connect(self._link_settings(card))
        tasks = [claimed] if claimed is not None else []
        session: Session | None = None
        try:
            async with TaskGroup() as group:
                session = Session(
                    self.settings, self.plan, link=link, inbox=self.inbox, card=card, group=group, now=self.now
                )
                for registration in self.plan.registrations:
                    if hasattr(registration.target, "desk"):
                        registration.target.desk = session.desk
                tasks.append(lines.create_task(self._serve(link, session, claimed), name="bot_plugin.link"))
                await session.until(stop)
        finally:
            if session is not None:
                await session.farewell()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks) if tasks else None
            if session is not None:
                session.closed()

    async def _serve(self, link: Link, session: Session, claimed: Task[None] | None) -> None:
        def connected() -> None:
            session.connected()
            if claimed is not None:
                claimed.cancel()
            self.on_connect()

        try:
            await link.run(session.receive, connected)
        except TakenOver as error:
            raise NameTaken(self.settings.bot, str(error)) from None

    async def _take_name(self, lines: TaskGroup, card: BotCard) -> Task[None]:
        topic = self.settings.topics.bot(self.settings.bot)
        probe = replace(self._base(f"probe.{uuid.uuid4().hex[:8]}"), filters=(topic,), clean=True)
        claimant = Claimant(self.connect(probe), topic=topic, card=card, now=self.now)
        task = lines.create_task(claimant.run(), name="bot_plugin.claim")
        await claimant.won()
        return task

    def _card(self) -> BotCard:
        return BotCard(
            bot=self.settings.bot,
            presence=Presence.ONLINE,
            instance=uuid.uuid4().hex,
            since=from_micros(self.now()),
            plugin=VERSION,
            bodies=BODIES,
            subscriptions=self.plan.signal_filters(self.settings),
            handlers=self.plan.handlers,
            modes=tuple(map(str, self.settings.modes)),
            durable=self.inbox.durable,
        )

    def _base(self, role: str) -> LinkSettings:
        settings = self.settings
        return LinkSettings(
            host=settings.host,
            port=settings.port,
            client_id=f"{settings.root.replace('/', '.')}.{settings.bot}.{role}",
            username=settings.username,
            password=settings.password,
            tls=settings.tls_context(),
            versions=settings.versions,
        )

    def _link_settings(self, card: BotCard) -> LinkSettings:
        topics, bot = self.settings.topics, self.settings.bot
        offline = encode_card(replace(card, presence=Presence.OFFLINE), now=self.now())
        return replace(
            self._base("sig"),
            filters=self.plan.filters(self.settings),
            optional=(topics.bot(bot), topics.receipted(bot)),
            will=Will(topic=topics.bot(bot), payload=offline),
        )


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group, however deep it is; the group where there are several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
