"""The registry: which bots are alive, by what they tell of themselves, and what they told lately."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from gateway.bots.arrivals import Arrivals
from gateway.bots.clocks import Clocks
from gateway.bots.diary import Diary
from gateway.bots.liveness import Life, Sign, State
from gateway.bots.reading import read_card, read_told, shortened
from gateway.mqtt import Link
from gateway.telemetry import Telemetry
from schemas.card import BotCard, Presence
from schemas.errors import ContractError
from schemas.fields import to_micros
from schemas.telemetry import Heartbeat, InternalEvent, Notification, StatusUpdate, read
from schemas.telemetry import Telemetry as Told
from schemas.topics import TELEMETRY, TopicError, Topics

_MOST = 10_000
"""Bots that are known."""

_LOOK_EVERY = 1.0
_ASLEEP = 5.0
"""Seconds by which a look may be late: after that the gateway itself stood still, and has not heard who spoke."""

_FORGET_AFTER = 7 * 86_400_000_000
"""Microseconds after which a bot that is not alive is forgotten."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How a bot is, by what was heard of it.

    Args:
        seen_at: its last sign of life, microseconds since the epoch.
        ahead: by how much its last heartbeat's time was ahead of its arrival, microseconds.
    """

    state: State
    since: int | None
    seen_at: int | None
    seen_by: Sign | None
    ahead: int | None

    @property
    def alive(self) -> bool:
        """Whether it is alive."""
        return self.state is State.ALIVE


@dataclass(slots=True)
class _Bot:
    """What is known of a bot.

    Args:
        ahead: see Heard.
        shown_at: the bot's clock on its last card that says online; a card with an earlier one was made before that,
            as the last will is.
    """

    life: Life = field(default_factory=Life)
    ahead: int | None = None
    shown_at: int | None = None


class Registry:
    """Hears what the bots tell. Nothing that others publish about a bot, or to it, makes it look alive.

    Args:
        came: told of each bot when it is present and was not.
        clocks: learn from heartbeats.
        clock: microseconds since the epoch.
        timer: seconds that never go back.
    """

    def __init__(
        self,
        *,
        topics: Topics,
        telemetry: Telemetry,
        clocks: Clocks,
        came: Callable[[str], None],
        clock: Callable[[], int],
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topics = topics
        self._telemetry = telemetry
        self._clocks = clocks
        self._came = came
        self._clock = clock
        self._timer = timer
        self._diary = Diary()
        self._arrivals = Arrivals()
        self._bots: dict[str, _Bot] = {}
        self._listening_since: float | None = None

    async def listen(self, link: Link) -> None:
        """Subscribe to all that bots tell. What the broker retained is as old as it likes, and no sign of life."""
        for channel in TELEMETRY:
            await link.subscribe(
                self._topics.every_telemetry(channel), partial(self._take, channel), qos=0, retained=False
            )
        await link.subscribe(self._topics.every("bot"), self._learn_card)
        await link.subscribe(self._topics.every("bot"), self._take_card, retained=False)

    def connected(self) -> None:
        """Hear from now on: who is alive has as long as for a silence to say so."""
        self._listening_since = self._timer()

    def disconnected(self) -> None:
        """Hear nothing from now on."""
        self._listening_since = None
        self._arrivals.clear()

    def present(self, bot: str) -> bool:
        """Whether a bot is surely there, by heartbeats of the last 12 s on this connection."""
        return self._arrivals.present(bot, timer=self._timer())

    def heard(self, bot: str) -> Heard | None:
        """How a bot is; None for one of which nothing was heard."""
        known = self._bots.get(bot)
        if known is None:
            return None
        life = known.life
        return Heard(life.state, life.since, life.seen_at, life.seen_by, known.ahead)

    @property
    def names(self) -> Iterator[str]:
        """The bots of which something was heard."""
        return iter(self._bots)

    def lives(self) -> Mapping[str, Life]:
        """How each bot is of which something was heard."""
        return {name: known.life for name, known in self._bots.items()}

    def told(self, bot: str, channel: str, *, limit: int, after: int | None = None) -> list[tuple[int, Told]]:
        """What a bot told lately, oldest first, each with its arrival; with ``after`` the first that came after it."""
        entries = self._diary.told(bot, channel, limit=limit, after=after)
        return [(entry.at, read(channel, entry.payload)) for entry in entries]

    def forget(self, bot: str) -> None:
        """Know nothing more of a bot."""
        known = self._bots.pop(bot, None)
        self._diary.forget(bot)
        self._arrivals.gone(bot)
        if known is not None and known.life.told:
            self._telemetry.bot_forgotten(bot=bot)

    async def run(self) -> None:
        """Look every second who fell silent, until cancelled."""
        before = self._timer()
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = self._timer()
            if now - before > _LOOK_EVERY + _ASLEEP and self._listening_since is not None:
                self._listening_since = now
            before = now
            self.look()

    def look(self) -> None:
        """Tell who came and who is dead, and forget who has not been alive for a week."""
        since, timer, at = self._listening_since, self._timer(), self._clock()
        if since is None:
            return
        for bot in self._arrivals.come(timer=timer):
            self._came(bot)
        for name, known in self._bots.items():
            if known.life.look(timer=timer, listening_since=since, at=at):
                self._telemetry.bot_dead(bot=name, last_seen=known.life.seen_at or at)
        self._forget_some(at)

    def _take(self, channel: str, topic: str, payload: bytes) -> None:
        """Handle one message of a channel."""
        try:
            bot, told = read_told(channel, topic, payload, topics=self._topics)
        except (ContractError, TopicError) as error:
            self._telemetry.unreadable_telemetry(topic=topic, problem=str(error))
            return
        self._telemetry.bot_message(channel=channel)
        known = self._know(bot)
        if known is not None:
            self._learn(bot, known, told)
            if channel not in {"hb", "status_updates"}:
                self._diary.keep(bot, channel, shortened(channel, told, payload), at=self._clock())

    def _learn(self, bot: str, known: _Bot, told: Told) -> None:
        match told:
            case Heartbeat(at=at):
                self._beat(bot, known, at)
            case StatusUpdate(offline=True):
                self._leave(bot, known)
            case StatusUpdate():
                self._sign(bot, known, Sign.STATUS)
                if told.online:
                    self._arrivals.online(bot, timer=self._timer())
            case InternalEvent():
                self._sign(bot, known, Sign.EVENT)
            case Notification(msg=text):
                self._telemetry.bot_notified(bot=bot, text=text)

    def _beat(self, bot: str, known: _Bot, at: int | None) -> None:
        self._sign(bot, known, Sign.HEARTBEAT)
        if self._listening_since is not None:
            self._arrivals.beat(bot, timer=self._timer())
        known.ahead = None if at is None else at - self._clock()
        if at is not None:
            self._clocks.heartbeat(bot, at)

    def _sign(self, bot: str, known: _Bot, how: Sign) -> None:
        """Take a sign of life. What comes before all is subscribed again was kept by the broker: it is older."""
        if self._listening_since is not None and known.life.sign(how, timer=self._timer(), at=self._clock()):
            self._telemetry.bot_back(bot=bot)

    def _learn_card(self, topic: str, payload: bytes) -> None:
        """Take notice of a card, also of one that was retained: of the newest that says online."""
        card = self._read_card(topic, payload)
        if card is not None and card.presence is Presence.ONLINE and card.clock is not None:
            known = self._know(card.bot)
            if known is not None:
                known.shown_at = to_micros(card.clock)

    def _take_card(self, topic: str, payload: bytes) -> None:
        """Handle one card that was published just now."""
        card = self._read_card(topic, payload)
        if card is None or (known := self._know(card.bot)) is None:
            return
        if card.presence is Presence.ONLINE:
            self._sign(card.bot, known, Sign.CARD)
        elif card.presence is Presence.OFFLINE:
            if known.shown_at is not None and card.clock is not None and to_micros(card.clock) <= known.shown_at:
                known.life.lose(timer=self._timer(), at=self._clock())
                self._arrivals.gone(card.bot)
            else:
                self._leave(card.bot, known)

    def _leave(self, bot: str, known: _Bot) -> None:
        self._arrivals.gone(bot)
        if known.life.leave(at=self._clock()):
            self._telemetry.bot_left(bot=bot)

    def _read_card(self, topic: str, payload: bytes) -> BotCard | None:
        """Read a card; None for what is none, which is said elsewhere."""
        try:
            return read_card(topic, payload, topics=self._topics) if payload else None
        except (ContractError, TopicError):
            return None

    def _know(self, bot: str) -> _Bot | None:
        known = self._bots.get(bot)
        if known is None and len(self._bots) < _MOST:
            known = self._bots[bot] = _Bot()
        return known

    def _forget_some(self, at: int) -> None:
        """Forget who has long not been alive, and where there is no place for others, the quietest sixteenth."""
        absent = [(bot.life.since or 0, name) for name, bot in self._bots.items() if bot.life.state is not State.ALIVE]
        full = len(self._bots) >= _MOST
        doomed = sorted(absent)[: _MOST // 16] if full else [one for one in absent if 0 < one[0] < at - _FORGET_AFTER]
        for _, name in doomed:
            self.forget(name)
