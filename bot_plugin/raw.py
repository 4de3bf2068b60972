"""Hands messages of any topic to handlers as they are: topic and bytes, in order per topic, without receipts."""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bot_plugin.lanes import Lanes
from bot_plugin.registration import TopicRegistration, is_async
from bot_plugin.transport import Message, matches

log = logging.getLogger("bot_plugin.raw")

LIMIT = 10_000
"""Messages of one topic that may wait for one handler; further ones are dropped, and the log says so."""

_Item = tuple[TopicRegistration, Message]


class RawHandlers:
    """The handlers of raw messages; their threads are their own, so that no signal waits for them."""

    def __init__(self, registrations: Sequence[TopicRegistration], group: TaskGroup, *, threads: int) -> None:
        self._registrations = registrations
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="raw")
        self._lanes: Lanes[_Item] = Lanes(group, self._run, limit=LIMIT, name="bot_plugin.raw")

    def put(self, message: Message) -> None:
        """Hand a message to every handler with a filter that selects its topic, once."""
        selected = (one for one in self._registrations if matches(one.topic_filter, message.topic))
        for name, registration in {one.name: one for one in selected}.items():
            if not self._lanes.put(f"{name} {message.topic}", (registration, message)):
                log.warning("dropped a message of %s: %d wait for %s", message.topic, LIMIT, name)

    def close(self) -> None:
        """Cancel what runs, and let the threads end when their functions do."""
        self._lanes.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, item: _Item) -> None:
        registration, message = item
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(registration.timeout):
                await self._call(registration, message)
        except BaseException:
            if task is not None and task.cancelling():
                raise
            log.exception("handler %s failed on a message of %s", registration.name, message.topic)

    async def _call(self, registration: TopicRegistration, message: Message) -> None:
        if is_async(registration.target):
            await registration.target(message.topic, message.payload)
        else:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, registration.target, message.topic, message.payload)
