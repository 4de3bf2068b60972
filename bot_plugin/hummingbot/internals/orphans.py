"""What a strategy leaves when its construction fails half-way: a task that waits for it, and its data feeds."""

from __future__ import annotations

import asyncio
from typing import Any

_LISTENING = "StrategyV2Base.listen_to_executor_actions"


class Orphans:
    """The tasks of strategies that were never finished; made before a start, asked after it failed."""

    def __init__(self) -> None:
        self._before = asyncio.all_tasks()

    def end(self) -> None:
        """End the tasks and feeds of every strategy that was begun since."""
        for task in asyncio.all_tasks() - self._before:
            coroutine: Any = task.get_coro()
            if getattr(coroutine, "__qualname__", "") != _LISTENING:
                continue
            frame = coroutine.cr_frame
            strategy = None if frame is None else frame.f_locals.get("self")
            task.cancel()
            provider = getattr(strategy, "market_data_provider", None)
            if provider is not None:
                provider.stop()
