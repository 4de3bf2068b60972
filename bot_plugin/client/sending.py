"""One call, from its request to the end of its waiting: sent once, with QoS 1, never retained."""

from __future__ import annotations

import asyncio
import secrets
from asyncio import Future
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bot_plugin.client.calls import Call
from bot_plugin.client.line import Line
from bot_plugin.client.settings import ClientSettings
from bot_plugin.client.verdict import UNHEARD, Exchange
from bot_plugin.client.waiting import Waiting, Waitings
from bot_plugin.errors import LinkLost
from bot_plugin.transport import REFUSED, packet_size
from schemas.rpc import Request, write_request
from schemas.signature import AHEAD, Signed, sign

MAX_REQUEST = 250_000
"""Bytes of a request: with its topic it passes the gateway's embedded broker, and a bot reads it."""

_APART = 5_000_000
"""Microseconds that a bot's clock may be behind this one, and a signature still not be too far ahead for it."""

_LOOK = 0.02
"""Seconds between two looks for the broker, or for room in what is in flight."""


class Sender:
    """Sends calls and waits for what comes of them.

    Args:
        settings: the client's name, its key, and whether it may send at all.
        line: the connection on which replies come.
        waitings: where they are taken to.
        now: the clock, microseconds since the epoch.
    """

    def __init__(self, settings: ClientSettings, line: Line, waitings: Waitings, *, now: Callable[[], int]) -> None:
        self._settings, self._line, self._waitings, self._now = settings, line, waitings, now
        self._topics = settings.topics

    async def exchange(self, bot: str, call: Call[Any], *, msg_id: str, timeout: float) -> Exchange:  # noqa: ASYNC109
        """Send a call to a bot and wait for its answer.

        Raises:
            ValueError, RuntimeError, ConnectionError: as ``BotClient.call`` says.
        """
        if self._settings.watch_only:
            raise RuntimeError("this client watches only: it listens to no replies (settings.watch_only)")
        self._line.check()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        topic = self._topics.command(bot, call.command)
        if self._settings.bots and bot not in self._settings.bots:
            return Exchange(limit=self._settings.bots)
        reply_to = self._topics.reply(bot, self._settings.name, secrets.token_hex(16))
        payload = self._payload(topic, reply_to, call, msg_id=msg_id, timeout=timeout)
        with self._waitings.expect(reply_to) as waiting:
            published = await self._publish(topic, payload, waiting, until=begun + timeout)
            connections = self._line.made
            if published is not None:
                await self._answered(published, waiting, until=begun + timeout)
            return Exchange(
                reply=waiting.reply,
                published=published is not None,
                code=_code(published),
                lost=published is not None and not (self._line.connected and self._line.made == connections),
                unreadable=waiting.unreadable,
                took=loop.time() - begun,
            )

    def _payload(self, topic: str, reply_to: str, call: Call[Any], *, msg_id: str, timeout: float) -> bytes:
        now = self._now()
        key = self._settings.command_key
        ahead = int(timeout * 1_000_000)
        deadline = now + (ahead if key is None else min(ahead, AHEAD - _APART))
        signature = ""
        if key is not None:
            signed = Signed(topic=topic, msg_id=msg_id, deadline=deadline, reply_to=reply_to, data=call.data)
            signature = sign(signed, key)
        payload = write_request(
            Request(
                data=call.data,
                reply_to=reply_to,
                msg_id=msg_id,
                sender=self._settings.name,
                timestamp=now,
                deadline=deadline,
                signature=signature,
            )
        )
        _check_size(len(payload), most=MAX_REQUEST)
        return payload

    async def _publish(self, topic: str, payload: bytes, waiting: Waiting, *, until: float) -> Future[int] | None:
        """Send it as soon as it can be; None where it cannot be in time, or the client is closed meanwhile."""
        loop = asyncio.get_running_loop()
        while True:
            link = self._line.link
            if link.largest is not None:
                _check_size(packet_size(topic, payload), most=link.largest)
            if link.free:
                with suppress(LinkLost):
                    return link.publish(topic, payload)
            if loop.time() >= until or waiting.answer.cancelled():
                return None
            self._line.check()
            await asyncio.sleep(min(_LOOK, until - loop.time()))

    async def _answered(self, published: Future[int], waiting: Waiting, *, until: float) -> None:
        """Return when the answer is there, when the broker says that nobody has the command, or when time is up."""
        loop = asyncio.get_running_loop()
        awaited: set[Future[Any]] = {published, waiting.answer}
        await asyncio.wait(awaited, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        code = _code(published)
        if not waiting.answer.done() and (code is None or (code < REFUSED and code != UNHEARD)):
            await asyncio.wait({waiting.answer}, timeout=until - loop.time())


def _check_size(size: int, *, most: int) -> None:
    if size > most:
        raise ValueError(f"the command has {size} bytes, and at most {most} can be sent")


def _code(published: Future[int] | None) -> int | None:
    if published is None or not published.done() or published.cancelled() or published.exception() is not None:
        return None
    return published.result()
