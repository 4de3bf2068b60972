"""Who is connected to the embedded broker, and whether there is a place for one more."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from gateway.mqtt.embedded_plugins import Visitor
from gateway.mqtt.stream import BoundedWriter

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Client:
    """A connection that has logged in."""

    visitor: Visitor
    client_id: str
    writer: BoundedWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Places:
    """The connections that have logged in.

    Args:
        most: at once.
        per_login: of one login at once.
        owner: the login that gets in even where all places are taken.
        most_unread: bytes that may wait for the connections of one login together.
    """

    def __init__(self, *, most: int, per_login: int, owner: str, most_unread: int) -> None:
        self._most = most
        self._per_login = per_login
        self._owner = owner
        self._most_unread = most_unread
        self._clients: list[Client] = []

    def __len__(self) -> int:
        return len(self._clients)

    def of(self, username: str) -> list[Client]:
        """The connections of a login."""
        return [client for client in self._clients if client.visitor.username == username]

    def enter(self, client: Client) -> str | None:
        """Give a client a place; the reason where there is none. A client id that is here gives up its own."""
        username = client.visitor.username
        theirs = self.of(username)
        taken_over = any(earlier.client_id == client.client_id for earlier in theirs)
        if len(theirs) - taken_over >= self._per_login:
            return f"{len(theirs)} clients of {username!r} are connected already, as many as one login may have"
        if len(self._clients) - taken_over >= self._most and username != self._owner:
            return f"{len(self._clients)} clients are connected already"
        self._clients.append(client)
        return None

    async def turn(self, client: Client) -> None:
        """Return when every earlier connection with the client id has ended; this one ends them."""
        earlier = [other for other in self._clients if other.client_id == client.client_id]
        earlier = earlier[: earlier.index(client)]
        for other in earlier:
            other.writer.abort()
        for other in earlier:
            await other.gone.wait()

    def leave(self, client: Client) -> None:
        """The client's connection has ended."""
        self._clients.remove(client)
        client.gone.set()

    def relieve(self, username: str) -> None:
        """Cut off the connections of a login that read most slowly, until what waits for the others is bounded."""
        waiting = {client: client.writer.waiting for client in self.of(username)}
        while sum(waiting.values()) > self._most_unread:
            slowest = max(waiting, key=lambda client: waiting[client])
            _log.warning("cut %r off: it left %s bytes unread", slowest.client_id, waiting.pop(slowest))
            slowest.writer.abort()

    def abort(self) -> None:
        """End every connection."""
        for client in self._clients:
            client.writer.abort()
