"""Sends what a bot tells, over the second connection: heartbeats in time, everything else at a bounded rate."""

from __future__ import annotations

import asyncio
import logging
import math
from asyncio import TaskGroup
from collections.abc import Callable
from functools import partial

from bot_plugin.errors import LinkLost
from bot_plugin.settings import PluginSettings
from bot_plugin.telemetry.log_handler import OWN
from bot_plugin.telemetry.outbox import Outbox, in_words
from bot_plugin.telemetry.samples import Samples
from bot_plugin.transport import Link, Message
from schemas.telemetry import OFFLINE, ONLINE, Heartbeat, LogLine, StatusUpdate, write

log = logging.getLogger(OWN)

HEARTBEAT = 10.0
"""Seconds between heartbeats, as Hummingbot has it."""

TICK = 0.1
"""Seconds between batches: what comes first goes at once, what follows within them goes together."""

BATCH = 20
"""Messages of one channel in a batch. It is what the loop, which signals and commands share, does in one go."""

BYTES_PER_SECOND = 65_536
"""Half of what a line of 1 Mbit/s carries: the other half is left to the signals and commands that share it."""

FAREWELL = 1.0
"""Seconds in which what waits is still sent at the end."""

NEWS = 1.0
"""Seconds between two lines that say how much was dropped."""

_ORDER = ("events", "notify", "performance", "log")
_HEADER = 16
"""Bytes of a packet beside its topic and its payload, at most."""


class Sender:
    """What a bot tells in one run: a part of the second connection that listens to nothing.

    Args:
        elsewhere: whether somebody else sends a channel's heartbeats and status updates for this bot now.
    """

    filters: tuple[str, ...] = ()

    def __init__(
        self,
        settings: PluginSettings,
        outbox: Outbox,
        samples: Samples,
        *,
        elsewhere: Callable[[str], bool],
        now: Callable[[], int],
    ) -> None:
        self._settings, self._outbox, self._samples, self._now = settings, outbox, samples, now
        self._elsewhere = elsewhere
        self._loop = asyncio.get_running_loop()
        self._link: Link | None = None
        self._something = asyncio.Event()
        self._over = self._shown = False
        self._beat_at = math.inf
        self._news_at = -math.inf

    def connected(self, link: Link) -> None:
        """Say that the bot is there, beat at once, and send what waited."""
        if self._over:
            return
        self._link = link
        self._shown = False
        self._beat()
        self._something.set()

    async def receive(self, message: Message) -> None:
        """Take nothing: there are no filters."""

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            async with TaskGroup() as group:
                group.create_task(self._beats(), name=f"{OWN}.heartbeat")
                group.create_task(self._samples.run(), name=f"{OWN}.samples")
                group.create_task(self._send(), name=f"{OWN}.send")
        finally:
            self._outbox.wake(None)

    async def farewell(self, link: Link) -> None:
        """Send what waits, for a second at most, count the rest as dropped, and say that the bot goes."""
        self._beat_at = math.inf
        until = self._loop.time() + FAREWELL
        while self._outbox and link.connected and self._loop.time() < until:  # noqa: ASYNC110  # of the link, too
            await asyncio.sleep(TICK)
        self._over = True
        if not link.connected:
            return
        self._outbox.drop_waiting()
        self._tell_dropped()
        if not self._is_elsewhere("status_updates"):
            self._say("status_updates", write(StatusUpdate(msg=OFFLINE, at=self._now())))
        self._link = None

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(min(HEARTBEAT, max(0.0, self._beat_at - self._loop.time())))
            if self._loop.time() >= self._beat_at:
                self._beat()

    def _beat(self) -> None:
        self._beat_at = self._loop.time() + HEARTBEAT
        self._show()
        if not self._is_elsewhere("hb"):
            self._say("hb", write(Heartbeat(at=self._now())))

    def _show(self) -> None:
        """Say once that the bot is there, unless somebody else does, and again when that ended."""
        if self._is_elsewhere("status_updates"):
            self._shown = False
        elif not self._shown:
            self._shown = self._say("status_updates", write(StatusUpdate(msg=ONLINE, at=self._now())))

    def _is_elsewhere(self, channel: str) -> bool:
        try:
            return self._elsewhere(channel)
        except Exception:
            log.exception("who sends %r is not known: it is sent", channel)
            return False

    async def _send(self) -> None:
        while True:
            self._something.clear()
            if self._is_connected:
                self._outbox.wake(partial(self._loop.call_soon_threadsafe, self._something.set))
            while self._outbox and self._is_connected:  # noqa: ASYNC110  # it sends, and keeps its pace
                await asyncio.sleep(max(TICK, self._batch() / BYTES_PER_SECOND))
            await self._something.wait()

    @property
    def _is_connected(self) -> bool:
        return self._link is not None and self._link.connected

    def _batch(self) -> int:
        """Send what its turn has come for, and of each channel something; the bytes."""
        size = 0
        if self._loop.time() >= self._news_at:
            self._tell_dropped()
        for channel in _ORDER:
            for number in range(BATCH):
                if number and size >= BYTES_PER_SECOND * TICK:
                    break
                payload = self._outbox.take(channel)
                if payload is None:
                    break
                if not self._fits(channel, payload):
                    self._outbox.drop(channel)
                elif self._say(channel, payload):
                    size += len(payload)
                else:
                    self._outbox.put_back(channel, payload)
                    return size
        return size

    def _tell_dropped(self) -> None:
        if not (dropped := self._outbox.take_dropped()):
            return
        self._news_at = self._loop.time() + NEWS
        text = in_words(dropped)
        log.warning("%s", text)
        if self._settings.logger:
            level = logging.WARNING
            line = LogLine(msg=text, level=level, level_name=logging.getLevelName(level), logger=OWN, at=self._now())
            self._say("log", write(line))

    def _fits(self, channel: str, payload: bytes) -> bool:
        largest = None if self._link is None else self._link.largest
        return largest is None or len(self._topic(channel)) + len(payload) + _HEADER <= largest

    def _say(self, channel: str, payload: bytes) -> bool:
        if self._link is None:
            return False
        try:
            self._link.publish(self._topic(channel), payload, qos=0)
        except LinkLost:
            return False
        return True

    def _topic(self, channel: str) -> str:
        return self._settings.topics.telemetry(self._settings.bot, channel)
