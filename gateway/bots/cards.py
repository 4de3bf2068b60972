"""Cards: which bots there are, by what they say of themselves, and which of them are online."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.bots.reading import read_card
from gateway.errors import NotStored
from gateway.journal.journal import Journal
from gateway.journal.model import FORMER, KnownBot
from gateway.mqtt.filters import is_filter
from gateway.telemetry import Telemetry
from schemas.card import BotCard, Presence
from schemas.errors import ContractError
from schemas.topics import TopicError, Topics

_MOST = 10_000
_TEXT = 64
"""Characters of an instance, and of a version, that are kept."""

_FILTERS = 100
_LONGEST_FILTER = 512
"""Topic filters of a bot that are looked at."""

_PAUSE = 1.0
"""Seconds between two writes to the journal, and until the next where it refuses."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a bot showed of itself; beside ``bot`` it is not remembered across restarts.

    Args:
        bot: its name, its filters, and whether it is there.
        instance: which process it is.
        plugin: the plugin's version.
        durable: whether it has a state folder that survives a restart.
        commands: the remote commands that it runs, as in their topics.
    """

    bot: KnownBot
    instance: str = ""
    plugin: str | None = None
    durable: bool | None = None
    commands: frozenset[str] = frozenset()


class Cards:
    """Knows the bots, also those that an earlier process of the gateway saw.

    ``on_change`` gets all bots, and the names of those that came: that were not online, or are other processes now, or
    ask for what they did not. It is called at once when something changed, and again at the end of each ``every``
    seconds in which more did; that a bot is forgotten is told at once.

    Args:
        greet: called with each bot that says that it is online.
        look: gets every card.
        clock: microseconds since the epoch.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        topics: Topics,
        telemetry: Telemetry,
        on_change: Callable[[Sequence[KnownBot], Collection[str]], None],
        greet: Callable[[str], None] = lambda _: None,
        look: Callable[[BotCard], None] = lambda _: None,
        clock: Callable[[], int],
        every: float = 1.0,
    ) -> None:
        self._journal = journal
        self._topics = topics
        self._telemetry = telemetry
        self._on_change = on_change
        self._greet = greet
        self._look = look
        self._clock = clock
        self._every = every
        self._known: dict[str, Shown] = {}
        self._came: set[str] = set()
        self._unsaved: set[str] = set()
        self._save = asyncio.Event()
        self._pausing = False
        self._changed = False

    async def recall(self) -> None:
        """Take the bots that are remembered; none of them is online until its card says so."""
        now = self._clock()
        for bot in await self._journal.known():
            absent = replace(bot, absent_since=bot.absent_since or now)
            self._known.setdefault(bot.name, Shown(absent))
        self._tell()

    def remembers(self, bot: str, command: str) -> bool:
        """Whether a bot runs a command once per call, through restarts too, as its card says."""
        shown = self._known.get(bot)
        return shown is not None and shown.durable is True and command in shown.commands

    async def take(self, topic: str, payload: bytes) -> None:
        """Handle one message of the cards' filter; an empty one clears a card from the broker, and says nothing."""
        if not payload:
            return
        try:
            card = read_card(topic, payload, topics=self._topics)
        except (ContractError, TopicError) as error:
            self._telemetry.unreadable_card(topic=topic, problem=str(error))
            return
        self._look(card)
        if card.presence is Presence.OFFLINE:
            self._leave(card)
        elif card.presence is Presence.ONLINE:
            self._come(card)

    def _come(self, card: BotCard) -> None:
        before = self._known.get(card.bot)
        if before is None and len(self._known) >= _MOST:
            return
        self._greet(card.bot)
        filters = tuple(one for one in card.subscriptions[:_FILTERS] if len(one) <= _LONGEST_FILTER and is_filter(one))
        former = _former(before.bot, filters, now=self._clock()) if before is not None and card.hosts else {}
        bot = KnownBot(name=card.bot, filters=filters, former=former)
        commands = frozenset(one for one in card.commands[:_FILTERS] if len(one) <= _LONGEST_FILTER)
        now = Shown(bot, card.instance[:_TEXT], card.plugin and card.plugin[:_TEXT], card.durable, commands)
        if before != now:
            if before is None or _came(before, now):
                self._came.add(card.bot)
            self._change(now)

    def _leave(self, card: BotCard) -> None:
        known = self._known.get(card.bot)
        if known is not None and known.bot.absent_since is None:
            self._came.discard(card.bot)
            self._change(replace(known, bot=replace(known.bot, absent_since=self._clock())))

    def _change(self, known: Shown) -> None:
        self._known[known.bot.name] = known
        self._unsaved.add(known.bot.name)
        self._save.set()
        self._tell()

    @property
    def shown(self) -> Mapping[str, Shown]:
        """The bots by their names."""
        return self._known

    async def forget(self, name: str) -> bool:
        """Know a bot no more, unless it shows its card again; whether it was known.

        Raises:
            NotStored: the next start may remember it.
        """
        known = self._known.pop(name, None)
        self._unsaved.discard(name)
        self._came.discard(name)
        if known is not None:
            self._telemetry.bot_forgotten(bot=name)
            self._tell_now()
        await self._journal.forget_bot(name)
        return known is not None

    async def run(self) -> None:
        """Let the journal remember what changed, until cancelled."""
        while True:
            await self._save.wait()
            self._save.clear()
            names, self._unsaved = self._unsaved, set()
            try:
                await self._journal.know([self._known[name].bot for name in names])
            except NotStored:
                self._unsaved |= names & self._known.keys()
                self._save.set()
            await asyncio.sleep(_PAUSE)

    def _tell(self) -> None:
        self._changed = True
        if not self._pausing:
            self._call()

    def _call(self) -> None:
        self._pausing, self._changed = self._changed, False
        if self._pausing:
            asyncio.get_running_loop().call_later(self._every, self._call)
            self._tell_now()

    def _tell_now(self) -> None:
        came, self._came = self._came, set()
        self._on_change([known.bot for known in self._known.values()], came)


def _came(before: Shown, now: Shown) -> bool:
    """Whether a bot is to be sent what it has not receipted."""
    asks_more = not set(now.bot.filters) <= set(before.bot.filters)
    return before.bot.absent_since is not None or before.instance != now.instance or asks_more


def _former(before: KnownBot, filters: Collection[str], *, now: int) -> dict[str, int]:
    """The filters that a bot, whose handlers come and go, had and has not now; the newest, where there are many."""
    former = {**before.former, **dict.fromkeys(before.filters, before.absent_since or now)}
    lost = [(at, one) for one, at in former.items() if one not in filters and at > now - FORMER]
    return {one: at for at, one in sorted(lost)[-_FILTERS:]}
