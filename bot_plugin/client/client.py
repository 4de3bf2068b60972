"""The client: commands to bots, what became of them, what bots tell, and which are there."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from bot_plugin.client.bot import Bot
from bot_plugin.client.calls import Call
from bot_plugin.client.commands import Commands
from bot_plugin.client.line import Line
from bot_plugin.client.options import CallOptions
from bot_plugin.client.results import Result
from bot_plugin.client.roster import Roster, telemetry_filters
from bot_plugin.client.sending import Sender
from bot_plugin.client.settings import ClientSettings
from bot_plugin.client.streams import Read, Stream, reader, receipt_reader
from bot_plugin.client.verdict import conclude
from bot_plugin.client.waiting import Waitings
from bot_plugin.reconnecting import MqttBroker
from bot_plugin.transport import Link, LinkSettings, Message, matches
from schemas.receipt import Receipt
from schemas.telemetry import Heartbeat, InternalEvent, LogLine, Notification, Performance, StatusUpdate

T = TypeVar("T")

Connect = Callable[[LinkSettings], Link]
"""Makes a Link, not connected yet."""


def system_now() -> int:
    """This machine's clock in microseconds since the epoch."""
    return time.time_ns() // 1000


class BotClient(Commands):
    """Commands bots and listens to them: ``async with BotClient(settings) as client``.

    Args:
        settings: how to reach the broker.
        connect: makes the connections; ``FakeBroker().link`` of ``bot_plugin.testing`` needs no broker.
        now: the clock, microseconds since the epoch.
        monotonic: a clock that nobody sets, seconds.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        connect: Connect | None = None,
        now: Callable[[], int] = system_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._topics = settings.topics
        self._connect = connect or MqttBroker().link
        self._now, self._monotonic = now, monotonic
        self._waitings = Waitings()
        self._streams: set[Stream[Any]] = set()
        self._roster = Roster(self._topics, limit=settings.bots, now=now, monotonic=monotonic)
        self._replies = self._topics.replies(settings.name)
        self._line = self._new_line()
        self._sender = Sender(settings, self._line, self._waitings, now=now)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, env_file: str | Path | None = None) -> Self:
        """Read ``SIGNAL_GATEWAY_*`` from the environment, and from a file of ``KEY=VALUE`` lines.

        Raises:
            SettingsError: with every problem.
        """
        return cls(ClientSettings.from_env(environ, env_file=env_file))

    async def __aenter__(self) -> Self:
        """Connect, as far as the broker is there within ``connect_within`` seconds; else go on connecting.

        Raises:
            LinkRefused: the broker refuses the login, or that it reads replies.
        """
        await self._line.open(within=self.settings.connect_within)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        """Say goodbye; streams end, and calls that still wait are unknown."""
        self._waitings.close()
        for stream in tuple(self._streams):
            await stream.close()
        await self._line.close()

    @property
    def connected(self) -> bool:
        """Whether the broker is there, and answers can come."""
        return self._line.connected

    @property
    def strays(self) -> int:
        """Replies that nobody waited for: late, repeated, or another process's of this name."""
        return self._waitings.strays

    async def call(self, bot: str, call: Call[T], **options: Unpack[CallOptions]) -> Result[T]:
        """Send one command and wait for its answer.

        Raises:
            ValueError: the bot's name or a parameter cannot be sent.
            RuntimeError: the client is not open, or was told to watch only.
            ConnectionError: the connection has ended for good.
        """
        msg_id = options.get("idempotency_key") or secrets.token_hex(16)
        within = options.get("within")
        timeout = self.settings.timeout if within is None else within
        exchange = await self._sender.exchange(bot, call, msg_id=msg_id, timeout=timeout)
        return conclude(call, self._roster.bot(bot), exchange, msg_id=msg_id)

    def bots(self) -> tuple[Bot, ...]:
        """Every bot that was seen since the client was opened, by name. Heartbeats come every 10 s."""
        return self._roster.bots()

    def bot(self, name: str) -> Bot:
        """What is known of one bot, which may be nothing."""
        return self._roster.bot(name)

    async def wait_alive(self, name: str, *, within: float = 12.0) -> Bot:
        """Return when the bot is alive, or after ``within`` seconds: ``Bot.alive`` says which."""
        return await self._roster.alive(name, within=within)

    def heartbeats(self, bot: str | None = None, *, size: int = 1_000) -> Stream[Heartbeat]:
        """A stream of heartbeats, of one bot or of all."""
        return self._telemetry("hb", Heartbeat, bot, size)

    def statuses(self, bot: str | None = None, *, size: int = 1_000) -> Stream[StatusUpdate]:
        """A stream of status updates: online, offline."""
        return self._telemetry("status_updates", StatusUpdate, bot, size)

    def events(self, bot: str | None = None, *, size: int = 1_000) -> Stream[InternalEvent]:
        """A stream of what happens to orders."""
        return self._telemetry("events", InternalEvent, bot, size)

    def notifications(self, bot: str | None = None, *, size: int = 1_000) -> Stream[Notification]:
        """A stream of texts for the bots' owner."""
        return self._telemetry("notify", Notification, bot, size)

    def logs(self, bot: str | None = None, *, size: int = 1_000) -> Stream[LogLine]:
        """A stream of log lines."""
        return self._telemetry("log", LogLine, bot, size)

    def performance(self, bot: str | None = None, *, size: int = 1_000) -> Stream[Performance]:
        """A stream of how controllers do."""
        return self._telemetry("performance", Performance, bot, size)

    def receipts(self, bot: str | None = None, *, size: int = 1_000) -> Stream[Receipt]:
        """A stream of what became of signals, at bots with the plugin."""
        places = tuple(map(self._topics.receipt, self._of(bot))) or (self._topics.every("receipt"),)
        return self._stream(places, receipt_reader(self._topics), size)

    def _telemetry(self, channel: str, kind: type[T], bot: str | None, size: int) -> Stream[T]:
        places = telemetry_filters(self._topics, channel, self._of(bot))
        return self._stream(places, reader(self._topics, kind), size)

    def _of(self, bot: str | None) -> tuple[str, ...]:
        return self.settings.bots if bot is None else (bot,)

    def _stream(self, filters: tuple[str, ...], read: Read[T], size: int) -> Stream[T]:
        stream = Stream(
            self._connect(self._link_settings("stream", filters=filters)),
            read,
            size=size,
            connect_within=self.settings.connect_within,
            now=self._now,
            ended=self._streams.discard,
        )
        self._streams.add(stream)
        return stream

    def _new_line(self) -> Line:
        filters = () if self.settings.watch_only else (self._replies,)
        link = self._connect(self._link_settings("client", filters=filters, optional=self._roster.filters))
        return Line(link, self._receive, name="bot_plugin.client", ended=lambda: None)

    def _link_settings(self, role: str, *, filters: tuple[str, ...], optional: tuple[str, ...] = ()) -> LinkSettings:
        name = self.settings.name
        link = self.settings.link(name, f"{role}.{secrets.token_hex(4)}", who=f"client {name}")
        return replace(link, clean=True, filters=filters, optional=optional)

    async def _receive(self, message: Message) -> None:
        if matches(self._replies, message.topic):
            self._waitings.take(message)
        else:
            self._roster.take(message)
