"""One run of a bot from start to end: take the name, open the memory, connect, work, say goodbye."""

from __future__ import annotations

import asyncio
import uuid
from asyncio import Event, Task, TaskGroup
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot_plugin.busy import Busy
from bot_plugin.errors import NameTaken, SettingsError, TakenOver
from bot_plugin.inbox import Inbox, Recovered
from bot_plugin.plan import Plan
from bot_plugin.presence import Claimant, encode_card, lock
from bot_plugin.reading import BODIES
from bot_plugin.remote import Remote, RemotePart
from bot_plugin.session import Session
from bot_plugin.settings import PluginSettings
from bot_plugin.transport import Link, LinkSettings, Will, at_once
from bot_plugin.version import VERSION
from schemas.card import BotCard, Presence
from schemas.fields import from_micros

Connect = Callable[[LinkSettings], Link]
"""Makes a Link, not connected yet."""


@dataclass(slots=True, kw_only=True)
class Runner:
    """What one run needs.

    Args:
        claim: whether to ask the broker first if another process has the name.
        on_connect: is called after each connection, when its subscriptions stand.
        parts: what lives on the second connection.
        commands: the remote commands that the bot's card shows.
    """

    settings: PluginSettings
    plan: Plan
    inbox: Inbox
    connect: Connect
    now: Callable[[], int]
    monotonic: Callable[[], int]
    claim: bool
    on_connect: Callable[[], None]
    parts: tuple[RemotePart, ...] = ()
    commands: tuple[str, ...] = ()
    _standing: _Standing | None = field(default=None, init=False)
    _listened: tuple[str, ...] = field(default=(), init=False)
    _stale: frozenset[str] = field(default=frozenset(), init=False)
    _accepted: bool = field(default=False, init=False)

    def change(self, plan: Plan) -> Busy:
        """Call the handlers of another plan from now on; ``renew`` makes the broker send what they want.

        Returns:
            The calls that still run in handlers that it does not have.
        """
        self.plan = plan
        if (standing := self._standing) is None:
            return Busy()
        standing.name.card = self._shown(standing.name.card)
        return standing.session.change(plan, standing.name.card)

    def renew(self) -> bool:
        """Take the connection for signals up anew where the plan wants other topics, and show what it wants.

        Returns:
            Whether it is taken up anew; else it is as it was.
        """
        if (standing := self._standing) is None:
            return False
        if self._listen():
            standing.link.renew(self._link_settings(standing.name.card))
            return True
        if standing.link.connected:
            standing.session.show_card()
        return False

    def drop(self, filters: Iterable[str]) -> None:
        """Ask the broker not to send what an earlier process listened to, and this one does not."""
        before, self._stale = self._stale, (self._stale | set(filters)) - set(self._listened)
        if self._stale != before and (standing := self._standing) is not None:
            standing.link.renew(self._link_settings(standing.name.card))

    async def released(self, busy: Busy) -> None:
        """Return when the calls have ended; they have the settings' grace for it, and are cut short then."""
        if self._standing is not None:
            await self._standing.session.released(busy)

    async def run(self, stop: Event) -> None:
        """Run until stopped or cancelled.

        Raises:
            NameTaken, LinkRefused, SettingsError: as the listener says.
        """
        if problems := list(self.plan.problems(self.settings)):
            raise SettingsError(problems)
        card = self._card()
        try:
            with lock(self._folder(), self.settings.bot, instance=card.instance) as earlier:
                await self._run(card, earlier, stop)
        except BaseExceptionGroup as group:
            raise _only(group) from None

    async def _run(self, card: BotCard, earlier: str, stop: Event) -> None:
        left = await self.inbox.open()
        try:
            async with TaskGroup() as lines:
                await self._work(left, stop, _Name(self, card, earlier, lines))
        finally:
            await self.inbox.close()

    def _folder(self) -> Path | None:
        if self.inbox.durable or self.settings.state_dir is not None:
            return self.settings.state_folder
        return None

    async def _work(self, left: Recovered, stop: Event, name: _Name) -> None:
        name.card = self._shown(name.card)
        self._listen()
        link = self.connect(self._link_settings(name.card))
        remote = Remote(self.parts, self.connect(self._remote_settings()), grace=self.settings.grace)
        session: Session | None = None
        serving = [name.lines.create_task(remote.run(), name="bot_plugin.remote")]
        try:
            async with TaskGroup() as group:
                session = self._session(link, name.card, group, left)
                session.recover(left)
                self._standing = _Standing(name, link, session)
                serve = self._serve(link, session, remote, name)
                serving.append(name.lines.create_task(serve, name="bot_plugin.link"))
                await session.until(stop)
        finally:
            self._standing = None
            if session is not None:
                await asyncio.gather(session.farewell(), remote.farewell())
            for task in serving:
                task.cancel()
            await asyncio.wait(serving)
            name.release()
            if session is not None:
                session.closed()

    def _session(self, link: Link, card: BotCard, group: TaskGroup, left: Recovered) -> Session:
        return Session(
            self.settings,
            self.plan,
            link=link,
            inbox=self.inbox,
            card=card,
            group=group,
            now=self.now,
            monotonic=self.monotonic,
            released=left.sequences,
        )

    async def _serve(self, link: Link, session: Session, remote: Remote, name: _Name) -> None:
        def connected() -> None:
            self._accepted = True
            session.connected()
            name.release()
            remote.begin()
            self.on_connect()

        try:
            await link.run(session.receive, connected, name.take if self.claim else at_once)
        except TakenOver as error:
            raise NameTaken(self.settings.bot, str(error)) from None

    def _card(self) -> BotCard:
        return BotCard(
            bot=self.settings.bot,
            presence=Presence.ONLINE,
            instance=uuid.uuid4().hex,
            since=from_micros(self.now()),
            plugin=VERSION,
            bodies=BODIES,
            modes=tuple(map(str, self.settings.modes)),
            durable=self.inbox.durable,
            commands=self.commands,
        )

    def _listen(self) -> bool:
        """Ask for what the plan wants at the next connection; whether that is something else than before."""
        before, self._listened = self._listened, self.plan.filters(self.settings)
        self._stale = (self._stale | set(before)) - set(self._listened)
        return self._listened != before

    def _shown(self, card: BotCard) -> BotCard:
        """A card that says what the plan wants."""
        return replace(
            card,
            subscriptions=self.plan.signal_filters(self.settings),
            handlers=self.plan.handlers,
            hosts=self.plan.more_may_come or None,
        )

    def base(self, role: str) -> LinkSettings:
        """How to reach the broker, with a client id for a role."""
        bot = self.settings.bot
        return self.settings.link(bot, role, who=f"bot {bot}")

    def _remote_settings(self) -> LinkSettings:
        wanted = dict.fromkeys(each for part in self.parts for each in part.filters)
        return replace(self.base("cmd"), optional=tuple(wanted), clean=True)

    def _link_settings(self, card: BotCard) -> LinkSettings:
        topics, bot = self.settings.topics, self.settings.bot
        offline = encode_card(replace(card, presence=Presence.OFFLINE), now=self.now())
        filters = self._listened
        own = (topics.bot(bot), topics.receipted(bot))
        started = self._accepted
        return replace(
            self.base("sig"),
            filters=() if started else filters,
            optional=(*filters, *own) if started else own,  # what one handler may not hear takes nothing from others
            dropped=tuple(sorted(self._stale)),
            clean=not filters,
            will=Will(topic=topics.bot(bot), payload=offline),
        )


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands while a run listens."""

    name: _Name
    link: Link
    session: Session


class _Name:
    """The bot's name: asked for before every connection, as another process may have taken it over meanwhile."""

    def __init__(self, runner: Runner, card: BotCard, earlier: str, lines: TaskGroup) -> None:
        self._runner, self._earlier = runner, earlier
        self.card, self.lines = card, lines
        self._asking: Task[None] | None = None

    async def take(self) -> None:
        """Return when the name is free, and hold it until ``release``.

        Raises:
            NameTaken: another living process has it.
            LinkRefused: the broker does not let this bot ask.
        """
        self.release()
        runner = self._runner
        topic = runner.settings.topics.bot(self.card.bot)
        probe = replace(runner.base(f"probe.{uuid.uuid4().hex[:8]}"), filters=(topic,), clean=True)
        link = runner.connect(probe)
        claimant = Claimant(link, topic=topic, card=self.card, earlier=self._earlier, now=runner.now)
        self._asking = self.lines.create_task(claimant.run(), name="bot_plugin.claim")
        await claimant.won()
        runner.drop(claimant.left)

    def release(self) -> None:
        """Leave the answering of others to the main connection."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group, however deep it is and however often it is there; the group where there are several."""
    errors = {(type(error), str(error)): error for error in _leaves(group)}
    return group if len(errors) > 1 else errors.popitem()[1]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error
