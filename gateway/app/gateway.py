"""The gateway: its parts, made and joined to each other."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import Any

from gateway.app.identity import clock, new_id
from gateway.bots import Cards, Clocks, Commands, GatewayPresence, Receipts, Registry, Roster
from gateway.broker import Embedded
from gateway.config import Address, BotSources, ClientKeys, KeyRing, Settings
from gateway.config.store import read_secret
from gateway.delivery import Delivery, DeliverySettings
from gateway.journal import prune_for_ever, read_room
from gateway.journal.journal import Journal
from gateway.journal.model import Accepted, Lane
from gateway.livestream import Followed, Livestream
from gateway.mqtt import GmqttLink, LinkLost
from gateway.mqtt.embedded import EmbeddedBroker
from gateway.notify import Notifier
from gateway.pipeline import Pipeline, Road
from gateway.supervisor import settle_memory, supervise
from gateway.telemetry import Recorder, Several
from gateway.web import (
    ApiKeys,
    HttpListener,
    Inside,
    ListenSettings,
    Private,
    PrivateSettings,
    Public,
    PublicSettings,
    RateLimit,
    Status,
)
from gateway.withdrawal import Withdrawals
from schemas.card import Presence

_INSTANCE = "gateway"
_VERSION = version("signal-gateway")
_TOKEN_SECONDS = 60
_DRAIN = 10.0
"""Seconds after SIGTERM in which what waits is still published."""

_LOOK_FOR_KEYS = 0.05


def _listen(address: Address, name: str) -> ListenSettings:
    return ListenSettings(host=address.host, port=address.port, setting=f"http.{name}")


class Gateway:
    """The parts of one running gateway."""

    def __init__(self, settings: Settings, journal: Journal, embedded: Embedded | None) -> None:
        self._settings, self._journal = settings, journal
        self._topics = settings.topics
        self._recorder = Recorder(sources=settings.sources, version=_VERSION, now=clock)
        self._notifier = Notifier(settings.notify, expected=settings.expected, telemetry=self._recorder, clock=clock)
        self._telemetry = Several(self._recorder, *self._notifier.listeners)
        self._logins = BotSources(settings.folder.bots)
        self._clocks = Clocks(telemetry=self._telemetry, clock=clock)
        self._registry = self._make_registry()
        self._keys = KeyRing(settings.folder.keys, now=clock, look_every=_LOOK_FOR_KEYS)
        self._presence = GatewayPresence(
            topics=self._topics, instance=_INSTANCE, version=_VERSION, clock=clock, new_id=new_id
        )
        self._embedded = embedded
        self._link = self._make_link(embedded.broker if embedded else None)
        self._delivery = self._make_delivery()
        self._livestream = self._make_livestream()
        self._receipts = Receipts(
            journal,
            self._link,
            topics=self._topics,
            instance=_INSTANCE,
            received=self._delivery.received,
            clocks=self._clocks,
            telemetry=self._telemetry,
            clock=clock,
        )
        self._cards = Cards(
            journal,
            topics=self._topics,
            telemetry=self._telemetry,
            on_change=self._delivery.bots,
            greet=self._receipts.greet,
            look=self._clocks.card,
            clock=clock,
        )
        self._roster = self._make_roster()
        self._commands = Commands(
            self._link,
            topics=self._topics,
            keys=settings.command_keys,
            remembers=self._cards.remembers,
            find=self._roster.bot,
            telemetry=self._telemetry,
            clock=clock,
            new_id=new_id,
        )
        self._pipeline = Pipeline(
            Road(sources=settings.sources, topics=self._topics),
            keys=self._keys,
            journal=journal,
            offer=self._offer,
            admit=RateLimit(settings.limits, now=time.monotonic).admit,
            telemetry=self._telemetry,
            new_id=new_id,
        )
        self._withdrawals = Withdrawals(journal, stop=self._stop, offer=self._offer, clock=clock, new_id=new_id)
        self._public, self._private = self._make_listeners()
        self._let_watch()

    async def run(self, ready: Callable[[], None]) -> None:
        """Listen and work until told to stop."""
        await self._cards.recall()
        await self._livestream.recall()
        await self._link.subscribe(self._topics.every("receipt"), self._receipts.take)
        await self._link.subscribe(self._topics.every("bot"), self._cards.take)
        await self._link.subscribe(self._commands.filter, self._commands.take)
        await self._registry.listen(self._link)
        await self._livestream.listen()
        await self._private.start()
        await self._public.start()
        settle_memory()
        ready()
        workers: dict[str, Callable[[], Any]] = {
            "link": self._link.run,
            "delivery": self._delivery.run,
            "livestream": self._livestream.run,
            "receipts": self._receipts.run,
            "cards": self._cards.run,
            "registry": self._registry.run,
            "journal.prune": partial(prune_for_ever, self._journal, clock=clock),
            "notify": self._notifier.run,
            "http.private": self._private.run,
            "http.public": self._public.run,
        }
        if self._embedded is not None:
            workers["broker.revoked"] = self._embedded.watch
        await supervise(workers, drain=self._drain)

    async def _drain(self) -> None:
        """Stop accepting, finish requests, publish what waits until the deadline, say goodbye."""
        await self._public.stop()
        with suppress(TimeoutError, LinkLost):
            async with asyncio.timeout(_DRAIN):
                if self._link.connected:
                    await self._livestream.leave()
                    await self._delivery.drained()
                    await (self._presence.say(Presence.OFFLINE, self._link) or asyncio.sleep(0))
        self._commands.stop()
        await self._notifier.drained()

    def _make_link(self, broker: EmbeddedBroker | None) -> GmqttLink:
        settings = self._settings.link
        if broker is not None:
            settings = replace(settings, port=broker.port, max_packet_size=broker.max_packet_size)
        return GmqttLink(
            replace(settings, will=self._presence.will),
            on_connected=self._connected,
            on_disconnected=self._disconnected,
            heard=broker.heard if broker is not None else None,
        )

    def _make_listeners(self) -> tuple[HttpListener, HttpListener]:
        http, telemetry = self._settings.http, self._telemetry
        public = Public(
            self._pipeline.take,
            settings=PublicSettings(
                max_body=http.max_body, allow_from=http.allow_from, trusted_proxies=http.trusted_proxies
            ),
            telemetry=telemetry,
            now=clock,
            posts=self._pipeline,
        )
        inside = Inside(
            journal=self._journal,
            status=self._status,
            exposition=self._recorder.exposition,
            mint=self._mint_token,
            withdraw=self._withdrawals.withdraw,
            roster=self._roster,
            command=self._commands.send,
            topics=self._topics,
        )
        token = read_secret(self._settings.folder.api_token)
        own = {"api": hashlib.sha256(token.encode()).digest()} if token else {}
        keys = ApiKeys(own, clients=ClientKeys(self._settings.folder.clients))
        private = Private(
            inside, settings=PrivateSettings(host=http.private.host, hosts=http.hosts), keys=keys, telemetry=telemetry
        )
        return (
            HttpListener(public, settings=_listen(http.public, "public"), telemetry=telemetry, on_stop=public.stop),
            HttpListener(private, settings=_listen(http.private, "private"), telemetry=telemetry),
        )

    def _let_watch(self) -> None:
        """Let whoever reads the metrics ask the parts."""
        watched = self._telemetry
        watched.watch_outbox(self._journal.depth, now=clock)
        watched.watch_journal(self._journal.trouble)
        watched.watch_room(partial(read_room, self._settings.journal))
        watched.watch_certificate(lambda: self._link.certificate_end)
        watched.watch_clocks(self._clocks.offsets, named=self._logins)
        watched.watch_bots(self._registry.lives, named=lambda: self._settings.stock_bots.union(self._logins()))

    def _make_delivery(self) -> Delivery:
        sources = self._settings.sources.values()
        return Delivery(
            self._journal,
            self._link,
            telemetry=self._telemetry,
            clock=clock,
            settings=DeliverySettings(),
            present=self._registry.present,
            named={source.name: source.bots for source in sources if source.bots},
            stock={source.name for source in sources if any(source.stock_bots)},
            limited=self._logins,
        )

    def _make_livestream(self) -> Livestream:
        sources = self._settings.sources.values()
        followed = [(one, said) for one in sources if (said := one.predictions) is not None and said.ml_signals]
        return Livestream(
            self._journal,
            self._link,
            sources={source.name: Followed(interval=said.interval, pairs=source.pairs) for source, said in followed},
            topics=self._topics,
            telemetry=self._telemetry,
            clock=clock,
        )

    def _make_registry(self) -> Registry:
        return Registry(
            topics=self._topics,
            telemetry=self._telemetry,
            clocks=self._clocks,
            came=lambda bot: self._delivery.came(bot),  # noqa: PLW0108 - it is made later
            clock=clock,
        )

    def _make_roster(self) -> Roster:
        return Roster(
            self._link,
            topics=self._topics,
            cards=self._cards,
            clocks=self._clocks,
            receipts=self._receipts,
            registry=self._registry,
            logins=self._logins,
            stock=self._settings.stock_bots,
            unreceived=self._delivery.unreceived,
            end=self._embedded.broker.disconnect if self._embedded else None,
        )

    def _offer(self, accepted: Sequence[Accepted]) -> None:
        self._delivery.offer(accepted)
        self._livestream.offer(accepted)

    async def _stop(self, lane: Lane, *, position: int, id_: str, reason: str) -> None:
        await self._delivery.withdraw(lane, position=position, id_=id_, reason=reason)
        self._livestream.withdrawn(id_)

    def _mint_token(self, source: str) -> tuple[str, int]:
        if source not in self._settings.sources:
            raise LookupError(source)
        return self._keys.mint(source, seconds=_TOKEN_SECONDS), clock() + _TOKEN_SECONDS * 1_000_000

    def _status(self) -> Status:
        return Status(
            version=_VERSION,
            since=self._presence.since,
            unready=self._journal.trouble(),
            broker_connected=self._link.connected,
            broker_error=self._link.last_error,
            sources=tuple(self._settings.sources),
        )

    def _connected(self) -> None:
        self._telemetry.broker_connected(connected=True)
        self._registry.connected()
        self._livestream.connected()
        self._delivery.connected(self._presence.say(Presence.ONLINE, self._link))

    def _disconnected(self) -> None:
        self._registry.disconnected()
        self._telemetry.broker_connected(connected=False)
