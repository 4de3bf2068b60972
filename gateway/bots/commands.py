"""Commands to bots: one message out, at most one reply in, and an outcome in every case."""

from __future__ import annotations

import asyncio
import math
import secrets
from asyncio import Future
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.bots.absence import absence
from gateway.bots.calls import CLIENT, Call, Ended, Message, NotDelivered, compose, judge, msg_id, unknown
from gateway.bots.repeats import Repeats
from gateway.bots.roster import BotState
from gateway.errors import Code, Refused
from gateway.mqtt import Ack, Link, LinkLost, PacketTooLarge
from gateway.mqtt.reasons import in_words
from gateway.telemetry import Telemetry
from schemas.errors import Fault
from schemas.signature import CommandKey
from schemas.topics import Topics

MOST = 64
"""Calls under way at once."""

_ROOM_WITHIN = 5.0
"""Seconds that a call waits for a place among the publishes in flight."""

_PAUSE = 0.01
_STOPPING = "The gateway is stopping."


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call that waits for its reply."""

    bot: str
    reply: Future[bytes | None]
    """The reply; None where the gateway stops before it came."""


def _random() -> str:
    return secrets.token_hex(16)


class Commands:
    """Sends commands, each once, and never says *failed* where nobody knows.

    Args:
        topics: the topic tree.
        keys: by bot, the key that signs its commands.
        remembers: whether a bot runs a command once per call, however often it is sent.
        find: finds how a bot is, to say why it does not listen; None for one of which nothing is known.
        clock: microseconds since the epoch.
        new_id: makes ids.
        random: makes 128 random bits in hexadecimal digits.
    """

    def __init__(
        self,
        link: Link,
        *,
        topics: Topics,
        keys: Mapping[str, CommandKey],
        telemetry: Telemetry,
        remembers: Callable[[str, str], bool] = lambda *_: False,
        find: Callable[[str], BotState | None],
        clock: Callable[[], int],
        new_id: Callable[[], str],
        random: Callable[[], str] = _random,
    ) -> None:
        self.filter = topics.replies(CLIENT)
        """What ``take`` is to be subscribed to."""
        self._link = link
        self._topics = topics
        self._keys = keys
        self._telemetry = telemetry
        self._remembers = remembers
        self._find = find
        self._clock = clock
        self._new_id = new_id
        self._random = random
        self._waiting: dict[str, _Waiting] = {}
        self._repeats = Repeats()
        self._stopping = False

    async def send(self, call: Call) -> Ended:
        """Send a command and return what came of it; one with a key is sent once, or again to a bot that runs it once.

        Raises:
            NotDelivered: the bot did not get it.
            Refused: its key was another call's, or its data cannot be spelled.
        """
        if not call.key:
            return await self._send(call, id_=self._new_id(), number=self._random())
        known = self._repeats.find(call, again=self._remembers(call.bot, call.command))
        if isinstance(known, Ended):
            return known
        if known is None:
            number, id_ = self._random(), msg_id(call)
            known = asyncio.create_task(self._send(call, id_=id_, number=number), name=f"command {id_}")
            known.add_done_callback(_seen)
            self._repeats.keep(call, known, number=number, now=_monotonic())
        return await asyncio.shield(known)

    async def take(self, topic: str, payload: bytes) -> None:
        """Handle one message of the replies' filter; what answers no call of ours is counted, and ignored."""
        bot, _, number = topic.split("/")[-3:]
        waiting = self._waiting.get(number)
        if waiting is not None and waiting.bot == bot and not waiting.reply.done():
            waiting.reply.set_result(payload)
            return
        self._telemetry.stray_reply(topic=topic)
        if self._repeats.awaits(number) == bot:
            self._repeats.learn(number, judge(payload, bot=bot))

    def stop(self) -> None:
        """End every call that is under way as unknown, and send none any more."""
        self._stopping = True
        for waiting in self._waiting.values():
            if not waiting.reply.done():
                waiting.reply.set_result(None)

    async def _send(self, call: Call, *, id_: str, number: str) -> Ended:
        began, outcome = _monotonic(), "failed"
        try:
            ended = await self._exchange(call, id_=id_, number=number)
            outcome = ended.outcome.value
        except (NotDelivered, Refused):
            outcome = "not_delivered"
            raise
        finally:
            self._telemetry.commanded(
                bot=call.bot, command=call.command, who=call.who, id_=id_, outcome=outcome, seconds=_monotonic() - began
            )
        return ended

    async def _exchange(self, call: Call, *, id_: str, number: str) -> Ended:
        if self._stopping:
            raise NotDelivered(_STOPPING)
        if len(self._waiting) >= MOST:
            raise NotDelivered(f"{MOST} commands are under way at once, and the gateway sends no more: try it later.")
        until = _monotonic() + call.timeout
        waiting = self._waiting[number] = _Waiting(call.bot, asyncio.get_running_loop().create_future())
        try:
            await self._room(within=min(_ROOM_WITHIN, call.timeout))
            if waiting.reply.done():
                raise NotDelivered(_STOPPING)
            message = self._compose(call, id_=id_, number=number, seconds=until - _monotonic())
            acknowledged = self._publish(message, call, seconds=until - _monotonic())
            return await self._answer(call, waiting.reply, acknowledged, until=until)
        finally:
            del self._waiting[number]

    async def _room(self, *, within: float) -> None:
        """Wait for a place in the link's window."""
        until = _monotonic() + within
        while not self._link.free:
            if not self._link.connected:
                raise NotDelivered(f"The gateway has no connection to the broker: {self._link.last_error}.")
            if _monotonic() > until:
                raise NotDelivered(
                    "The broker acknowledges too slowly: signals that go out first take all of the window."
                )
            await asyncio.sleep(_PAUSE)

    def _compose(self, call: Call, *, id_: str, number: str, seconds: float) -> Message:
        now = self._clock()
        deadline = now + int(seconds * 1_000_000)
        key = self._keys.get(call.bot)
        try:
            return compose(call, id_=id_, number=number, now=now, deadline=deadline, topics=self._topics, key=key)
        except ValueError as error:
            raise Refused(Code.INVALID, Fault(where="", problem=f"The parameters cannot be sent: {error}")) from None

    def _publish(self, message: Message, call: Call, *, seconds: float) -> Future[Ack]:
        if self._link.heard(message.topic) is False:
            raise NotDelivered(self._unheard(call, message.topic))
        try:
            answer = self._link.publish(message.topic, message.payload, expiry=max(1, math.ceil(seconds)))
        except LinkLost as lost:
            raise NotDelivered(f"The gateway has no connection to the broker: {lost}.") from None
        except PacketTooLarge as large:
            raise NotDelivered(f"The parameters are too large: {large}.") from None
        answer.add_done_callback(_seen)
        return answer

    async def _answer(
        self, call: Call, reply: Future[bytes | None], acknowledged: Future[Ack], *, until: float
    ) -> Ended:
        either: set[Future[Any]] = {reply, acknowledged}
        await asyncio.wait(either, timeout=until - _monotonic(), return_when=asyncio.FIRST_COMPLETED)
        lost = "" if reply.done() else self._taken(call, acknowledged)
        if not reply.done():
            await asyncio.wait({reply}, timeout=max(0.0, until - _monotonic()))
        if not reply.done():
            return unknown(f"{call.bot} did not answer {call.command} within {call.timeout:g} s{lost}")
        payload = reply.result()
        if payload is None:
            return unknown("the gateway stopped before the answer came")
        return judge(payload, bot=call.bot)

    def _taken(self, call: Call, acknowledged: Future[Ack]) -> str:
        """What is to be said where the broker may not have taken the command.

        Raises:
            NotDelivered: it says itself that nobody got it.
        """
        topic = self._topics.command(call.bot, call.command)
        if not acknowledged.done():
            return ", and the broker acknowledged nothing"
        if isinstance(acknowledged.exception(), LinkLost):
            return "; the connection to the broker was lost on the way"
        ack = acknowledged.result()
        if ack.denied:
            raise NotDelivered(
                f"The broker refuses what the gateway publishes on {topic}: {in_words(ack.reason, text=ack.text)}."
                " Give its login the permissions that docs/brokers.md names."
            )
        if ack.unheard:
            raise NotDelivered(self._unheard(call, topic))
        return ""

    def _unheard(self, call: Call, topic: str) -> str:
        return f"Nobody listens on {topic}: {absence(self._find(call.bot), bot=call.bot, command=call.command)}"


def _seen(done: Future[Ended] | Future[Ack]) -> None:
    """Look at an error, so that asyncio does not report it where nobody waits any more."""
    if not done.cancelled():
        done.exception()


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
