"""Whether the application is stopping, whoever asked it to."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from bot_plugin.hummingbot.internals.trading import Trading


class Application:
    """Stops as Hummingbot does: within a coroutine that waits for exchanges."""

    def __init__(self) -> None:
        self.trading_core = SimpleNamespace(strategy=None)
        self.cancelled = asyncio.Event()

    async def stop_loop(self) -> None:
        await self.cancelled.wait()

    async def exit_loop(self) -> None:
        await self.cancelled.wait()


async def wrapped(stop: Any) -> None:
    """As Hummingbot begins its tasks."""
    await stop


@pytest.mark.parametrize("command", ["stop_loop", "exit_loop"])
async def test_a_stop_of_the_terminal_is_seen_until_it_is_over(command: str) -> None:
    """It is a task of Hummingbot's own, begun behind a wrapper, and nobody tells of it."""
    application = Application()
    trading = Trading(application)
    assert not trading.stopping

    stop = asyncio.create_task(wrapped(getattr(application, command)()))
    await asyncio.sleep(0)
    assert trading.stopping

    application.cancelled.set()
    await stop
    assert not trading.stopping
