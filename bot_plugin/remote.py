"""The second connection: commands come in on it, and telemetry goes out, so that neither waits behind signals.

It has a clean start and no session, so that no command is queued for an absent bot. Signals do not depend on it: where
the broker refuses it, that is said in words, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from typing import NoReturn, Protocol

from bot_plugin.errors import LinkRefused, TakenOver
from bot_plugin.transport import Link, Message, matches

log = logging.getLogger("bot_plugin.remote")

PATIENCE = 60.0
"""Seconds between attempts while the broker refuses the connection."""

_GOODBYE = 3.0
"""Seconds beyond the settings' grace that a part has for its farewell."""


class RemotePart(Protocol):
    """What lives on the second connection, for one run."""

    @property
    def filters(self) -> tuple[str, ...]:
        """What it listens to; a filter that the broker refuses is logged, and the others stand."""
        ...

    def connected(self, link: Link) -> None:
        """A connection stands, with its subscriptions; called after each."""
        ...

    async def receive(self, message: Message) -> None:
        """Take a message of its filters, in the order of arrival; it is acknowledged when this returns."""
        ...

    async def run(self) -> None:
        """Work from before the first connection on, until cancelled after the farewell; an error ends the bot."""
        ...

    async def farewell(self, link: Link) -> None:
        """End what runs, and say what is left to say; the connection may be away. Bounded by the settings' grace."""
        ...


class Remote:
    """The second connection of one run, and its parts.

    Args:
        parts: what lives on it.
        link: the connection, not made yet.
        grace: seconds that a part has for its farewell.
        patience: seconds between attempts while the broker refuses it.
    """

    def __init__(self, parts: tuple[RemotePart, ...], link: Link, *, grace: float, patience: float = PATIENCE) -> None:
        self._parts, self._link, self._grace, self._patience = parts, link, grace, patience
        self._begin = asyncio.Event()

    def begin(self) -> None:
        """Connect: the bot's name is this process's, so that nobody else has the client id."""
        self._begin.set()

    async def run(self) -> None:
        """Work until cancelled. What the broker says never ends it."""
        async with TaskGroup() as group:
            for part in self._parts:
                group.create_task(part.run(), name=f"bot_plugin.{type(part).__name__.lower()}")
            await self._begin.wait()
            await self._connect()

    async def farewell(self) -> None:
        """Let every part end what runs and say what is left, as far as the time goes."""
        await asyncio.gather(*(self._dismiss(part) for part in self._parts))

    async def _connect(self) -> NoReturn:
        while True:
            try:
                await self._link.run(self._receive, self._connected)
            except (LinkRefused, TakenOver) as error:
                log.error(  # noqa: TRY400
                    "no commands and no telemetry: %s Signals go on; the next try is in %g s.", error, self._patience
                )
            except Exception:
                log.exception("no commands and no telemetry; signals go on; the next try is in %g s", self._patience)
            await asyncio.sleep(self._patience)

    def _connected(self) -> None:
        for part in self._parts:
            part.connected(self._link)

    async def _receive(self, message: Message) -> None:
        for part in self._parts:
            if any(matches(each, message.topic) for each in part.filters):
                try:
                    await part.receive(message)
                except Exception:
                    log.exception("a message on %s was not taken", message.topic)

    async def _dismiss(self, part: RemotePart) -> None:
        try:
            async with asyncio.timeout(self._grace + _GOODBYE):
                await part.farewell(self._link)
        except Exception:
            log.exception("%s did not end as it should", type(part).__name__)
