"""How the doctor calls on a broker: under client ids of its own, and again when it was thrown out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from typing import Self

from gateway.doctor.seen import CLOSED
from gateway.mqtt.model import LinkLost, LinkSettings, Version
from gateway.mqtt.probe import Greeting, Probe, Unanswered, probe
from schemas.topics import Topics

Login = tuple[str, str]


class Refused(ConnectionError):
    """A login that was let in before is refused."""


class Visits:
    """Opens connections.

    Args:
        link: where the broker is.
        topics: the topic tree.
        run: random letters and digits of this examination, in every client id and topic.
        quiet: seconds of silence after which nothing more is expected.
    """

    def __init__(self, link: LinkSettings, topics: Topics, *, run: str, quiet: float = 0.2) -> None:
        self.link = link
        self.topics = topics
        self.nobody = f"doctor-{run}"
        """A bot and a source that nobody has."""
        self.quiet = quiet
        self._numbers = count(1)

    def client_id(self) -> str:
        """A client id that nobody has."""
        return f"{self.nobody}-{next(self._numbers)}"

    async def knock(self, login: Login | None, *, version: Version | None = None) -> int:
        """Connect and leave again; the CONNACK's code, or ``CLOSED``."""
        try:
            async with probe(self.link, version=version) as caller:
                greeting = await caller.greet(self.client_id(), login)
                await caller.close()
                return greeting.code
        except Unanswered:
            raise
        except LinkLost:
            return CLOSED

    @asynccontextmanager
    async def visit(
        self, login: Login | None, *, client_id: str = "", clean: bool = True, session_expiry: int = 0
    ) -> AsyncIterator[tuple[Probe, Greeting]]:
        """A connection that was let in.

        Raises:
            Refused: it was not.
        """
        async with probe(self.link) as caller:
            name = client_id or self.client_id()
            greeting = await caller.greet(name, login, clean=clean, session_expiry=session_expiry)
            if not greeting.accepted:
                raise Refused(f"the broker refuses {login[0] if login else 'a client without a login'} now")
            yield caller, greeting
            await caller.close(forget=session_expiry == 0)

    async def forget(self, login: Login | None, client_id: str) -> None:
        """Let the broker forget a session, if it can be reached."""
        with suppress(OSError):
            async with self.visit(login, client_id=client_id):
                pass


class Persistent:
    """A login that tries one thing after the other, each on a connection that lives, whatever the broker did before."""

    def __init__(self, visits: Visits, login: Login | None) -> None:
        self._visits = visits
        self._login = login
        self._stack = AsyncExitStack()
        self._probe: Probe | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave()

    async def publish(self, topic: str, payload: bytes = b"") -> int:
        """Publish; the broker's code, or ``CLOSED``."""
        caller = await self._enter()
        try:
            return await caller.publish(topic, payload)
        except Unanswered:
            raise
        except LinkLost:
            await self._leave()
            return CLOSED

    async def subscribe(self, topic_filter: str) -> int:
        """Subscribe; the broker's code, or ``CLOSED``."""
        caller = await self._enter()
        try:
            return (await caller.subscribe(topic_filter))[0]
        except Unanswered:
            raise
        except LinkLost:
            await self._leave()
            return CLOSED

    async def _enter(self) -> Probe:
        if self._probe is not None:
            return self._probe
        caller, _ = await self._stack.enter_async_context(self._visits.visit(self._login))
        self._probe = caller
        return caller

    async def _leave(self) -> None:
        self._probe = None
        await self._stack.aclose()
