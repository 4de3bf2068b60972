"""From the settings to a gateway that runs, and to its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

from gateway.app.gateway import Gateway
from gateway.app.identity import clock
from gateway.broker import run_embedded
from gateway.config import Settings
from gateway.journal import open_journal
from gateway.telemetry import configure


async def run(settings: Settings, *, ready: Callable[[], None], stopped: Callable[[int], None]) -> None:
    """Run the gateway until SIGTERM or SIGINT.

    Args:
        settings: the configuration.
        ready: called once, when the gateway accepts signals.
        stopped: called at the end with how many signals still wait to be published; not where a part died.

    Raises:
        Misconfigured: an address cannot be had, or the journal cannot be opened.
    """
    async with AsyncExitStack() as stack:
        stack.callback(configure(settings.log).close)
        journal = open_journal(settings.journal, clock=clock)
        stack.push_async_callback(journal.close)
        broker = await stack.enter_async_context(run_embedded(settings)) if settings.embedded else None
        await Gateway(settings, journal, broker).run(ready)
        waiting = journal.depth().waiting
    stopped(waiting)
