"""Hands messages of any topic to handlers as they are: topic and bytes, in order per topic, without receipts."""

from __future__ import annotations

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from bot_plugin.lanes import Lanes
from bot_plugin.registration import TopicRegistration, is_async
from bot_plugin.transport import Message, matches

log = logging.getLogger("bot_plugin.raw")

LIMIT = 10_000
"""Messages of one topic that may wait for one handler; further ones are dropped, and the log says so."""

_STUBBORN = 2.0
"""Seconds that a callback has to end after it was cancelled."""

_Item = tuple[TopicRegistration, Message]

_CURRENT: ContextVar[asyncio.Timeout | None] = ContextVar("bot_plugin.raw", default=None)


class RawHandlers:
    """The handlers of raw messages; their threads are their own, so that no signal waits for them."""

    def __init__(self, registrations: Sequence[TopicRegistration], group: TaskGroup, *, threads: int) -> None:
        self._registrations = tuple(registrations)
        self._inside: dict[asyncio.Timeout, TopicRegistration] = {}
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="raw")
        self._lanes: Lanes[_Item] = Lanes(group, self._run, limit=LIMIT, name="bot_plugin.raw")

    def put(self, message: Message) -> None:
        """Hand a message to every handler with a filter that selects its topic, once."""
        selected = (one for one in self._registrations if matches(one.topic_filter, message.topic))
        for name, registration in {one.name: one for one in selected}.items():
            if not self._lanes.put(f"{name} {message.topic}", (registration, message)):
                log.warning("dropped a message of %s: %d wait for %s", message.topic, LIMIT, name)

    def change(self, registrations: Sequence[TopicRegistration]) -> list[asyncio.Timeout]:
        """Take the handlers that are here now; the calls that run still in those that went. What waits is dropped."""
        self._registrations = tuple(registrations)
        return [limit for limit, each in self._inside.items() if each not in self._registrations]

    async def released(self, calls: Sequence[asyncio.Timeout], *, grace: float) -> None:
        """Return when the calls have ended, but for one in which this is asked; they have ``grace`` seconds for it."""
        loop, own = asyncio.get_running_loop(), _CURRENT.get()
        left = {call for call in calls if call is not own}
        deadline = loop.time() + grace
        while left & self._inside.keys() and loop.time() < deadline:  # noqa: ASYNC110  # ends come from many places
            await asyncio.sleep(0.005)
        for call in left & self._inside.keys():
            with suppress(RuntimeError):  # it timed out, and is being cancelled already
                call.reschedule(loop.time())
        deadline = loop.time() + _STUBBORN
        while left & self._inside.keys() and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def close(self) -> None:
        """Cancel what runs, and let the threads end when their functions do."""
        self._lanes.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, item: _Item) -> None:
        registration, message = item
        if registration not in self._registrations:
            return
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(registration.timeout) as limit:
                with self._within(limit, registration):
                    await self._call(registration, message)
        except BaseException:
            if task is not None and task.cancelling():
                raise
            if registration in self._registrations:
                log.exception("handler %s failed on a message of %s", registration.name, message.topic)
            else:
                log.warning(
                    "handler %s was detached, and cut short on a message of %s", registration.name, message.topic
                )

    @contextmanager
    def _within(self, limit: asyncio.Timeout, registration: TopicRegistration) -> Iterator[None]:
        token, self._inside[limit] = _CURRENT.set(limit), registration
        try:
            yield
        finally:
            del self._inside[limit]
            _CURRENT.reset(token)

    async def _call(self, registration: TopicRegistration, message: Message) -> None:
        if is_async(registration.target):
            await registration.target(message.topic, message.payload)
        else:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, registration.target, message.topic, message.payload)
