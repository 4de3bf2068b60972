"""The calls that wait for their answers: one reply topic each, and what arrives there is read with distrust."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bot_plugin.transport import Message
from schemas.errors import ContractError
from schemas.rpc import Reply, read_reply

log = logging.getLogger("bot_plugin.client")


@dataclass(slots=True, eq=False)
class Waiting:
    """One call that waits.

    Args:
        answer: the first reply that could be read; cancelled where none is waited for any more.
        unreadable: what is wrong with a reply that came and could not.
    """

    answer: Future[Reply]
    unreadable: str = ""

    @property
    def reply(self) -> Reply | None:
        """The answer; None where none came."""
        return self.answer.result() if self.answer.done() and not self.answer.cancelled() else None


class Waitings:
    """Every call that waits, by its reply topic.

    A reply is for the call whose topic it is on, once. What comes late, twice, or for nobody is counted and left.
    """

    def __init__(self) -> None:
        self.strays = 0
        self._by_topic: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._by_topic)

    @contextmanager
    def expect(self, topic: str) -> Iterator[Waiting]:
        """Wait for a reply on a topic while the block lasts."""
        waiting = Waiting(asyncio.get_running_loop().create_future())
        self._by_topic[topic] = waiting
        try:
            yield waiting
        finally:
            del self._by_topic[topic]
            waiting.answer.cancel()

    def close(self) -> None:
        """Let every call go without an answer."""
        for waiting in self._by_topic.values():
            waiting.answer.cancel()

    def take(self, message: Message) -> None:
        """Take what came on a reply topic."""
        waiting = self._by_topic.get(message.topic)
        if waiting is None or waiting.answer.done():
            self.strays += 1
            log.debug("a reply on %s came late, twice, or for another process of this name", message.topic)
            return
        try:
            waiting.answer.set_result(read_reply(message.payload))
        except ContractError as error:
            waiting.unreadable = str(error)
            log.warning("a reply on %s cannot be read: %s", message.topic, error)
