"""A broker in memory that can be made to fail, for tests of what stands behind a link."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gateway.mqtt.filters import matches
from gateway.mqtt.model import Ack, Version, Will

_NOT_AUTHORISED = 0x87


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A message that the broker took, with what MQTT 5 carries beside it."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry: int | None = None
    content_type: str | None = None
    properties: tuple[tuple[str, str], ...] = ()


class Client(Protocol):
    """A link, as the broker sees it."""

    client_id: str

    @property
    def version(self) -> Version:
        """The MQTT version that it speaks."""
        ...

    def lose(self, reason: str) -> None:
        """See the connection end."""
        ...

    def receive(self, message: Published, *, retained: bool = False) -> None:
        """Get a message; ``retained``: the broker had it before."""
        ...


@dataclass(slots=True)
class Session:
    """What the broker keeps of a client: its filters, what it has not acknowledged, and the link while it is there."""

    filters: dict[str, int] = field(default_factory=dict)
    """With the QoS of each."""

    unacknowledged: list[Published] = field(default_factory=list)
    link: Client | None = None


class MemoryBroker:
    """A broker without a socket. ``published`` is what it took, in order.

    Args:
        max_packet_size: bytes of a packet that it accepts; None for any.
    """

    def __init__(self, *, max_packet_size: int | None = None) -> None:
        self.published: list[Published] = []
        self.max_packet_size = max_packet_size
        self._sessions: dict[str, Session] = {}
        self._retained: dict[str, Published] = {}
        self._denied: list[str] = []
        self._hangs_up: Callable[[Published], bool] = lambda _: False
        self._held: list[tuple[Future[Ack], Ack]] | None = None
        self._up = asyncio.Event()
        self._up.set()

    def deny(self, topic_filter: str) -> None:
        """Refuse what is published on the topics of a filter, and subscriptions to this very filter."""
        self._denied.append(topic_filter)

    def hang_up_on(self, predicate: Callable[[Published], bool]) -> None:
        """Close the connection on which such a message comes, instead of an acknowledgement."""
        self._hangs_up = predicate

    def hold(self) -> None:
        """Take messages, but keep the acknowledgements back until ``release`` or the end of the connection."""
        self._held = [] if self._held is None else self._held

    def release(self) -> None:
        """Send the acknowledgements that were held, and hold no more."""
        held, self._held = self._held or [], None
        for future, ack in held:
            _resolve(future, ack)

    def cut(self) -> None:
        """End every connection, publish the wills, and let nobody in until ``restore``."""
        self._up.clear()
        self._held = None
        for session in self._sessions.values():
            if session.link is not None:
                session.link.lose("the connection was closed")

    def restore(self) -> None:
        """Let the links connect again."""
        self._up.set()

    def hears(self, topic: str) -> bool:
        """Whether a client, present or absent, subscribes to the topic."""
        return any(True for _ in self._listeners(topic))

    async def admit(self, link: Client) -> Session:
        """Wait until clients are let in, and give the link its session.

        Raises:
            ValueError: another link has it; links that take each other's session over would do so for ever.
        """
        await self._up.wait()
        session = self._sessions.setdefault(link.client_id, Session())
        if session.link is not None:
            raise ValueError(f"two links have the client id {link.client_id!r}")
        session.link = link
        return session

    def subscribe(self, session: Session, topic_filter: str, *, qos: int = 1) -> bool:
        """Subscribe a session; whether it may. Retained messages follow."""
        if topic_filter in self._denied:
            return False
        session.filters[topic_filter] = qos
        for message in list(self._retained.values()):
            if matches(topic_filter, message.topic):
                self._hand_over(session, message, retained=True)
        return True

    def take(self, link: Client, message: Published, future: Future[Ack]) -> None:
        """Take a message from a link and acknowledge it."""
        if future.done():
            return
        if self._hangs_up(message):
            link.lose("the connection was closed")
            return
        ack = self._accept(message)
        answer = ack if link.version is Version.V5 else Ack()
        if self._held is None:
            _resolve(future, answer)
        else:
            self._held.append((future, answer))

    def _accept(self, message: Published) -> Ack:
        if any(matches(denied, message.topic) for denied in self._denied):
            return Ack(_NOT_AUTHORISED)
        self.published.append(message)
        if message.retain:
            self._retained[message.topic] = message
            if not message.payload:
                del self._retained[message.topic]
        listeners = list(self._listeners(message.topic))
        for session in listeners:
            self._hand_over(session, message)
        return Ack() if listeners else Ack(Ack.NO_MATCHING_SUBSCRIBERS)

    def leave_will(self, will: Will | None) -> None:
        """Publish what a link left behind."""
        if will is not None:
            self._accept(Published(topic=will.topic, payload=will.payload, retain=True))

    def _listeners(self, topic: str) -> Iterator[Session]:
        return (
            session
            for session in self._sessions.values()
            if any(matches(topic_filter, topic) for topic_filter in session.filters)
        )

    def _hand_over(self, session: Session, message: Published, *, retained: bool = False) -> None:
        if any(qos for topic_filter, qos in session.filters.items() if matches(topic_filter, message.topic)):
            session.unacknowledged.append(message)
        if session.link is not None:
            session.link.receive(message, retained=retained)


def _resolve(future: Future[Ack], ack: Ack) -> None:
    if not future.done():
        future.set_result(ack)
