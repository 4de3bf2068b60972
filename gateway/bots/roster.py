"""The roster: every bot that is named or was seen, how it is, and how one is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from gateway.bots.cards import Cards, Shown
from gateway.bots.clocks import Clocks
from gateway.bots.offset import Offset
from gateway.bots.receipts import Receipts
from gateway.bots.registry import Heard, Registry
from gateway.mqtt import Link, LinkLost, PacketTooLarge
from schemas.telemetry import Telemetry
from schemas.topics import Topics

Logins = Mapping[str, tuple[str, ...]]
"""By bot, the sources that its login may read; none for all."""

_PATIENCE = 5.0
"""Seconds that the broker has to acknowledge that a card is cleared."""

_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class BotState:
    """How one bot is.

    Args:
        sources: what its login may read, empty for all; None where it has no login that the gateway knows of.
        profile: ``plugin`` where it showed a card, ``hummingbot`` where it is named as a stock one, or was heard and
            showed none; None where nothing tells.
        shown: what it showed of itself; None where it never did.
        heard: how it is, by what it told; None where it told nothing.
        offset: of its clock.
        unreceived: the signals that it was sent and has not receipted.
        last_receipt: when its last one was stored, microseconds since the epoch; None for none since the start.
    """

    name: str
    sources: tuple[str, ...] | None
    profile: str | None
    shown: Shown | None
    heard: Heard | None
    offset: Offset
    unreceived: int
    last_receipt: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What became of it: whether the bot was known by a card, and whether the broker has that card no more."""

    known: bool
    cleared: bool


class Roster:
    """All that is known of the bots.

    Args:
        logins: the logins as they are now.
        stock: the stock Hummingbot bots that sources name.
        unreceived: how many signals a bot was sent and has not receipted.
        end: ends what a bot without a login still has at the broker; None where only its operator can.
    """

    def __init__(
        self,
        link: Link,
        *,
        topics: Topics,
        cards: Cards,
        clocks: Clocks,
        receipts: Receipts,
        registry: Registry,
        logins: Callable[[], Logins],
        stock: Collection[str] = (),
        unreceived: Callable[[str], int],
        end: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._link = link
        self._topics = topics
        self._cards = cards
        self._clocks = clocks
        self._receipts = receipts
        self._registry = registry
        self._logins = logins
        self._stock = frozenset(stock)
        self._unreceived = unreceived
        self._end = end

    def bots(self) -> list[BotState]:
        """Every bot that has a login, is named by a source, showed a card or was heard, by name."""
        logins = self._logins()
        names = {*logins, *self._stock, *self._cards.shown, *self._registry.names}
        return [self._bot(name, logins) for name in sorted(names)]

    def bot(self, name: str) -> BotState | None:
        """One of them; None where nothing is known of it."""
        logins, heard = self._logins(), self._registry.heard(name)
        known = name in logins or name in self._stock or name in self._cards.shown or heard is not None
        return self._bot(name, logins) if known else None

    def told(self, name: str, channel: str, *, limit: int, after: int | None = None) -> list[tuple[int, Telemetry]]:
        """What a bot told lately on a channel, oldest first, each with its arrival; see ``Registry.told``."""
        return self._registry.told(name, channel, limit=limit, after=after)

    async def forget(self, name: str) -> Forgotten:
        """Expect a bot no more; one that still has a login, or a connection, comes back with its next card.

        Raises:
            NotStored: the next start may remember it.
        """
        if self._end is not None and name not in self._logins():
            await self._end(name)
        known = await self._cards.forget(name)
        self._clocks.forget(name)
        self._receipts.forget(name)
        self._registry.forget(name)
        return Forgotten(known=known, cleared=await self._clear(name))

    def _bot(self, name: str, logins: Logins) -> BotState:
        shown, heard = self._cards.shown.get(name), self._registry.heard(name)
        stock = name in self._stock or heard is not None
        return BotState(
            name=name,
            sources=logins.get(name),
            profile="plugin" if shown else "hummingbot" if stock else None,
            shown=shown,
            heard=heard,
            offset=self._clocks.offset(name),
            unreceived=self._unreceived(name),
            last_receipt=self._receipts.last(name),
        )

    async def _clear(self, name: str) -> bool:
        """Take a card off the broker: an empty retained message replaces it (MQTT 5, section 3.3.1.3)."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not self._link.free:  # noqa: ASYNC110
                    await asyncio.sleep(_PAUSE)
                return not (await self._link.publish(self._topics.bot(name), b"", retain=True)).denied
        except (LinkLost, PacketTooLarge, TimeoutError):
            return False
