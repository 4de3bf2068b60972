"""What bots tell, as it comes. A stream has a connection of its own, so that a flood of log lines delays no reply."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

from bot_plugin.client.line import Line
from bot_plugin.transport import Link, Message
from schemas import envelope as envelopes
from schemas import telemetry
from schemas.errors import ContractError, Fault
from schemas.fields import from_micros
from schemas.receipt import Receipt, ReceiptSchema
from schemas.record import load
from schemas.topics import NamedTopic, TopicError, Topics

log = logging.getLogger("bot_plugin.client")

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[T_co]):
    """What a bot told.

    Args:
        bot: which.
        said: what, as its kind has it.
        received_at: when it arrived, by this machine's clock.
    """

    bot: str
    said: T_co
    received_at: datetime


Read = Callable[[Message], tuple[str, T_co]]
"""Reads a message: the bot, and what it said. Raises TopicError or ContractError for what is none."""


class Stream(Generic[T_co]):
    """What bots tell on one channel: ``async with client.logs("bot1") as lines`` and ``async for told in lines``.

    It is bounded: where the program is slower than the bots, the oldest is dropped and counted.

    Args:
        link: the connection, not made yet.
        read: reads its messages.
        size: what may wait for the program.
        connect_within: seconds that entering waits for the broker; it goes on connecting after that.
        now: the clock, microseconds since the epoch.
        ended: is called at the end.
    """

    def __init__(
        self,
        link: Link,
        read: Read[T_co],
        *,
        size: int,
        connect_within: float,
        now: Callable[[], int],
        ended: Callable[[Stream[T_co]], None],
    ) -> None:
        if size < 1:
            raise ValueError(f"a stream holds 1 message or more, not {size}")
        self.dropped = 0
        """What was forgotten because the program was slower than the bots."""
        self.unreadable = 0
        """Messages that were none of this channel's."""
        self._line = Line(link, self._receive, name="bot_plugin.client.stream", ended=self._wake)
        self._read, self._size, self._within, self._now, self._on_end = read, size, connect_within, now, ended
        self._waiting: deque[Told[T_co]] = deque()
        self._something = asyncio.Event()
        self._opened = self._closed = False

    @property
    def connected(self) -> bool:
        """Whether it listens now."""
        return self._line.connected

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            LinkRefused: the broker does not let this login listen to it.
        """
        self._opened = True
        try:
            await self._line.open(within=self._within)
        except BaseException:
            self._opened = self._closed  # whoever asks again opens it again
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Told[T_co]:
        if not self._opened:
            await self.__aenter__()
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._line.check()
            self._something.clear()
            await self._something.wait()
        return self._waiting.popleft()

    async def next(self, *, within: float | None) -> Told[T_co] | None:
        """The next one; None where none comes within that many seconds, or the stream was closed."""
        with contextlib.suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(within):
                return await anext(self)
        return None

    async def close(self) -> None:
        """Listen no more; what waits can still be taken."""
        if self._closed:
            return
        self._closed = self._opened = True
        self._something.set()
        self._on_end(self)
        await self._line.close()

    def _wake(self) -> None:
        self._something.set()

    async def _receive(self, message: Message) -> None:
        if message.retained:
            return
        try:
            bot, said = self._read(message)
        except (TopicError, ContractError) as error:
            self.unreadable += 1
            log.debug("a message on %s cannot be read: %s", message.topic, error)
            return
        if len(self._waiting) >= self._size:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(Told(bot=bot, said=said, received_at=from_micros(self._now())))
        self._something.set()


def reader(topics: Topics, kind: type[T_co]) -> Read[T_co]:
    """A reader of one kind of telemetry."""

    def read(message: Message) -> tuple[str, T_co]:
        bot, channel = topics.bot_of(message.topic)
        said = telemetry.read(channel, message.payload)
        assert isinstance(said, kind)
        return bot, said

    return read


def receipt_reader(topics: Topics) -> Read[Receipt]:
    """A reader of receipts."""

    def read(message: Message) -> tuple[str, Receipt]:
        place = topics.parse(message.topic)
        assert isinstance(place, NamedTopic)
        receipt: Receipt = load(ReceiptSchema, envelopes.decode(message.payload).data)
        if receipt.bot != place.name:
            raise ContractError(Fault(where="bot", problem=f"is not {place.name}, whose topic it is on"))
        return place.name, receipt

    return read
