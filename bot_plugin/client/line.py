"""One connection of a client: opened, kept for as long as it is wanted, and closed."""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Callable

from bot_plugin.transport import Link, Receive


class Line:
    """Keeps a Link running, and tells what ended it.

    Args:
        link: the connection, not made yet.
        receive: takes its messages.
        name: of its task.
        ended: is called when the connection has ended for good.
    """

    def __init__(self, link: Link, receive: Receive, *, name: str, ended: Callable[[], None]) -> None:
        self.link = link
        self.made = 0
        """How often the connection was made."""
        self._receive, self._name, self._ended = receive, name, ended
        self._up = asyncio.Event()
        self._running: Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the connection stands, with its subscriptions."""
        return self.link.connected

    async def open(self, *, within: float) -> None:
        """Connect; return when it is, or after ``within`` seconds: it goes on connecting then.

        Raises:
            LinkRefused: the broker refuses the login, or what it listens to.
        """
        self._up.clear()
        self._running = asyncio.create_task(self._run(), name=self._name)
        self._running.add_done_callback(self._tell)
        up = asyncio.create_task(self._up.wait(), name=f"{self._name}.up")
        try:
            await asyncio.wait({self._running, up}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            self.check()
        except BaseException:
            await self.close()
            raise
        finally:
            up.cancel()

    def check(self) -> None:
        """Say it where the connection has ended for good.

        Raises:
            ConnectionError: what ended it.
            RuntimeError: it is not open.
        """
        if self._running is None:
            raise RuntimeError("the client is not open: use it as `async with BotClient(...) as client`")
        if self._running.done():
            self._running.result()

    async def close(self) -> None:
        """Say goodbye."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait({running})

    async def _run(self) -> None:
        await self.link.run(self._receive, self._connected)

    def _tell(self, running: Task[None]) -> None:
        if not running.cancelled():
            running.exception()  # ``check`` raises it where somebody asks
        self._ended()

    def _connected(self) -> None:
        self.made += 1
        self._up.set()
