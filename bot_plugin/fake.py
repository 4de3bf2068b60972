"""A broker in this process, and the Link to it: the plugin's tests and a bot author's run on it."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from bot_plugin.errors import LinkLost, TakenOver
from bot_plugin.transport import Before, LinkSettings, Message, Receive, at_once, matches

_UNHEARD = 0x10


class _End(Enum):
    """How a connection ended."""

    CUT = auto()
    TAKEN_OVER = auto()
    RENEWED = auto()


@dataclass(slots=True, eq=False)
class _SessionState:
    filters: tuple[str, ...] = ()
    unacknowledged: deque[Message] = field(default_factory=deque)


class FakeBroker:
    """A broker in this process: subscriptions, retained messages, sessions, wills, and reason codes.

    Args:
        largest: bytes of a packet that it says it takes; None where it says nothing.
    """

    def __init__(self, *, largest: int | None = None) -> None:
        self.largest = largest
        self.retained: dict[str, bytes] = {}
        self.published: list[Message] = []
        self._sessions: dict[str, _SessionState] = {}
        self._links: dict[str, FakeLink] = {}

    def link(self, settings: LinkSettings) -> FakeLink:
        """A Link to this broker: what ``SignalListener.run(connect=...)`` takes."""
        return FakeLink(self, settings)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Take a message; the reason code says whether anybody listens."""
        if retain:
            self.retained[topic] = payload
            if not payload:
                del self.retained[topic]
        message = Message(topic=topic, payload=payload)
        self.published.append(message)
        heard = [name for name, session in self._sessions.items() if _selects(session.filters, topic)]
        for name in heard:
            self._sessions[name].unacknowledged.append(message)
            if name in self._links:
                self._links[name].deliver(message)
        return 0 if heard else _UNHEARD

    def drop(self, client_id: str) -> None:
        """Cut a client's connection, as a network does: its will is published and it comes back."""
        self._links[client_id].cut()

    def attach(self, link: FakeLink) -> None:
        """A client connects; another one with its id is told that it was taken over."""
        settings = link.settings
        other = self._links.get(settings.client_id)
        if other is not None:
            other.cut(taken_over=True)
        self._links[settings.client_id] = link
        if settings.clean:
            self._sessions.pop(settings.client_id, None)
        session = self._sessions.setdefault(settings.client_id, _SessionState())
        for message in list(session.unacknowledged):
            link.deliver(message)
        session.filters = (*settings.filters, *settings.optional)
        for topic, payload in list(self.retained.items()):
            if _selects(session.filters, topic):
                link.deliver(Message(topic=topic, payload=payload, retained=True))

    def detach(self, link: FakeLink, *, clean: bool) -> None:
        """A client has gone, with a goodbye or without."""
        settings = link.settings
        if self._links.get(settings.client_id) is link:
            del self._links[settings.client_id]
            if settings.clean:
                self._sessions.pop(settings.client_id, None)
        if not clean and settings.will is not None:
            self.publish(settings.will.topic, settings.will.payload, retain=True)

    def acknowledge(self, client_id: str, message: Message) -> None:
        """A client has taken a message."""
        session = self._sessions.get(client_id)
        if session is not None and message in session.unacknowledged:
            session.unacknowledged.remove(message)


class FakeLink:
    """The Link to a FakeBroker."""

    def __init__(self, broker: FakeBroker, settings: LinkSettings) -> None:
        self.settings = settings
        self._broker = broker
        self._lost: Future[_End] | None = None
        self._receive: Receive | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._lost is not None and not self._lost.done()

    @property
    def free(self) -> int:
        """How many publishes may be sent now."""
        return self.settings.window if self.connected else 0

    @property
    def largest(self) -> int | None:
        """Bytes of a packet that the broker takes, as it said."""
        return self._broker.largest if self.connected else None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> Future[int]:
        """Send one message; the future is the reason code, 0 for QoS 0."""
        if not self.connected:
            raise LinkLost("the fake broker is not connected")
        acknowledged: Future[int] = asyncio.get_running_loop().create_future()
        code = self._broker.publish(topic, payload, retain=retain)
        acknowledged.set_result(code if qos else 0)
        return acknowledged

    def renew(self, settings: LinkSettings) -> None:
        """Connect anew with these settings."""
        if self.connected:
            self._broker.detach(self, clean=True)
            self._end(_End.RENEWED)
        self.settings = settings

    async def run(self, receive: Receive, on_connect: Callable[[], None], before: Before = at_once) -> None:
        """Connect, and again after every loss, until cancelled."""
        self._receive, end = receive, _End.CUT
        while True:
            if end is not _End.RENEWED:
                await before()
            self._lost = asyncio.get_running_loop().create_future()
            self._broker.attach(self)
            try:
                on_connect()
                end = await self._lost
            except asyncio.CancelledError:
                self._lost.cancel()
                self._broker.detach(self, clean=True)
                raise
            if end is not _End.RENEWED:
                self._broker.detach(self, clean=False)
            if end is _End.TAKEN_OVER:
                raise TakenOver(f"another connection uses client id {self.settings.client_id!r}")

    def deliver(self, message: Message) -> None:
        """Start the receiver on a message; it is acknowledged when that returns."""
        task = asyncio.get_running_loop().create_task(self._deliver(message), name="bot_plugin.testing.deliver")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cut(self, *, taken_over: bool = False) -> None:
        """Lose the connection."""
        self._end(_End.TAKEN_OVER if taken_over else _End.CUT)

    def _end(self, end: _End) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(end)

    async def _deliver(self, message: Message) -> None:
        lost = self._lost
        assert self._receive is not None
        await self._receive(message)
        if lost is not None and not lost.done():
            self._broker.acknowledge(self.settings.client_id, message)


def _selects(filters: tuple[str, ...], topic: str) -> bool:
    return any(matches(topic_filter, topic) for topic_filter in filters)
