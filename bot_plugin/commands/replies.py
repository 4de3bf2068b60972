"""Replies on their way to the broker: sent as soon as there is room, again where the connection ended meanwhile."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from bot_plugin.commands.answer import refusal, too_large
from bot_plugin.errors import LinkLost
from bot_plugin.transport import REFUSED, Link, packet_size
from schemas.rpc import write_reply

log = logging.getLogger("bot_plugin.commands")

LIMIT = 1_000
"""Replies that wait at most; past it the oldest is dropped, and the log says so."""

SIZE = 16_777_216
"""Bytes that they may have together; past it too the oldest is dropped."""

PATIENCE = 60_000_000
"""Microseconds after which nobody waits for a reply any more."""

_ATTEMPTS = 3
"""How often a reply is sent: a broker may end the connection because of it."""


@dataclass(slots=True, eq=False)
class _Reply:
    topic: str
    payload: bytes
    until: int
    attempts: int = 0


class Replies:
    """Sends replies with QoS 1.

    Args:
        monotonic: a clock that nobody sets, microseconds.
    """

    def __init__(self, *, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._link: Link | None = None
        self._waiting: deque[_Reply] = deque()
        self._in_flight: set[_Reply] = set()
        self._changed = asyncio.Event()

    def connected(self, link: Link) -> None:
        """A connection stands: send what waits."""
        self._link = link
        self.pump()

    def put(self, topic: str, payload: bytes) -> None:
        """Send a reply, now or as soon as there is room."""
        self._waiting.append(_Reply(topic, payload, self._monotonic() + PATIENCE))
        self.pump()
        self._drop_excess()

    def pump(self) -> None:
        """Send what waits, as far as there is room."""
        link = self._link
        while link is not None and self._waiting and link.free:
            reply = self._waiting.popleft()
            if self._monotonic() > reply.until or reply.attempts >= _ATTEMPTS:
                log.error("the reply on %s could not be sent: the connection ended each time", reply.topic)
            elif not self._send(link, reply):
                return

    def _drop_excess(self) -> None:
        size = sum(len(reply.payload) for reply in self._waiting)
        while len(self._waiting) > LIMIT or size > SIZE:
            dropped = self._waiting.popleft()
            size -= len(dropped.payload)
            log.error("the reply on %s is dropped: too many wait, or too large ones", dropped.topic)

    async def run(self) -> NoReturn:
        """Look each second whether there is room, which others may have given back; until cancelled."""
        while True:
            await asyncio.sleep(1)
            self.pump()

    async def drained(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Return when the broker has every reply, or after the timeout (seconds)."""
        deadline = asyncio.get_running_loop().time() + timeout
        while self._waiting or self._in_flight:
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _send(self, link: Link, reply: _Reply) -> bool:
        try:
            sent = link.publish(reply.topic, _fitting(reply, link))
        except LinkLost:
            self._waiting.appendleft(reply)
            return False
        reply.attempts += 1
        self._in_flight.add(reply)
        sent.add_done_callback(lambda _: self._sent(reply, sent))
        return True

    def _sent(self, reply: _Reply, sent: Future[int]) -> None:
        self._in_flight.discard(reply)
        if sent.cancelled() or sent.exception() is not None:
            self._waiting.append(reply)
        elif sent.result() >= REFUSED:
            log.error(
                "the broker refuses a reply on %s (reason %#x): this bot's login needs the permission to write there",
                reply.topic,
                sent.result(),
            )
        self._changed.set()
        self.pump()


def _fitting(reply: _Reply, link: Link) -> bytes:
    """The reply; or, where the broker does not take as much, one that says so."""
    largest, size = link.largest, packet_size(reply.topic, reply.payload)
    if largest is None or size <= largest:
        return reply.payload
    room = largest - packet_size(reply.topic, b"")
    words = f"the reply cannot be sent: {too_large(len(reply.payload), most=room)}"
    return write_reply(refusal(words))
