"""Receipts: what the bots say became of a signal, on disk before the broker's copy is acknowledged, then confirmed."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from gateway.bots.clocks import Clocks
from gateway.bots.reading import read
from gateway.errors import NotStored
from gateway.journal.journal import Journal
from gateway.mqtt.model import Link, LinkLost, PacketTooLarge
from gateway.telemetry import Telemetry
from schemas.card import Receipted, ReceiptedSchema
from schemas.envelope import RECEIPTED, Envelope, body, encode, schema_urn
from schemas.errors import ContractError
from schemas.fields import from_micros
from schemas.receipt import Receipt
from schemas.topics import TopicError, Topics

_CONFIRM_EVERY = 0.1
"""Seconds in which the confirmations to one bot are gathered into one message."""

_STORE_MOST = 256
"""Receipts in one call of the journal."""

_CONFIRM_MOST = 1000
"""Ids in one confirmation; 40 bytes each."""

_MOST_BOTS = 10_000


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A receipt that is not on disk yet, and the future for which its message's acknowledgement waits."""

    id: str
    receipt: Receipt
    handled: Future[None]


class Receipts:
    """Takes receipts off the broker, hands them to the journal, and tells each bot which ones are on disk.

    Args:
        received: told the bot and the signal of each receipt.
        clocks: learn from each receipt, and explain those that a wrong clock caused.
    """

    def __init__(
        self,
        journal: Journal,
        link: Link,
        *,
        topics: Topics,
        instance: str,
        received: Callable[[str, str], None],
        clocks: Clocks,
        telemetry: Telemetry,
        clock: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._link = link
        self._received = received
        self._clocks = clocks
        self._last: dict[str, int] = {}
        self._topics = topics
        self._instance = instance
        self._telemetry = telemetry
        self._clock = clock
        self._confirmed: defaultdict[str, list[str]] = defaultdict(list)
        self._greeted: set[str] = set()
        self._wanted = asyncio.Event()
        self._arrived: list[_Arrived] = []
        self._storing: set[asyncio.Task[None]] = set()

    def take(self, topic: str, payload: bytes) -> Future[None]:
        """Handle one message of the receipts' filter; it is on disk, or not to be had, when the future is done."""
        loop = asyncio.get_running_loop()
        handled: Future[None] = loop.create_future()
        try:
            id_, receipt = read(topic, payload, topics=self._topics)
        except (ContractError, TopicError) as error:
            self._telemetry.unreadable_receipt(topic=topic, problem=str(error))
            handled.set_result(None)
            return handled
        self._received(receipt.bot, receipt.signal)
        if not self._arrived:
            loop.call_soon(self._store_soon)
        self._arrived.append(_Arrived(id_, self._clocks.receipt(receipt), handled))
        return handled

    def _store_soon(self) -> None:
        """Store what arrived in one turn of the loop together."""
        arrived, self._arrived = self._arrived, []
        for start in range(0, len(arrived), _STORE_MOST):
            storing = asyncio.create_task(self._store(arrived[start : start + _STORE_MOST]), name="receipts.store")
            self._storing.add(storing)
            storing.add_done_callback(self._storing.discard)

    async def _store(self, arrived: Sequence[_Arrived]) -> None:
        """Store receipts; where one of them brings an error that nobody foresaw, each by itself."""
        failure: Exception | None = None
        try:
            reception = await self._journal.receive([one.receipt for one in arrived], at=self._clock())
        except NotStored as error:
            for _ in arrived:
                self._telemetry.not_stored(cause=error.cause)
        except Exception as error:  # noqa: BLE001 - the message's handler raises it
            if len(arrived) > 1:
                await asyncio.gather(*(self._store([one]) for one in arrived))
                return
            failure = error
        else:
            self._telemetry.receipts_left_out(unknown=reception.unknown, surplus=reception.surplus)
            for source in reception.settled:
                self._telemetry.outcome(station="receipted", source=source)
            for unhandled in reception.unhandled:
                self._telemetry.unhandled(unhandled)
            self._stored(arrived)
        for one in arrived:
            _finish(one.handled, failure)

    def _stored(self, arrived: Sequence[_Arrived]) -> None:
        now = self._clock()
        for one in arrived:
            if one.receipt.bot in self._last or len(self._last) < _MOST_BOTS:
                self._last[one.receipt.bot] = now
            self._telemetry.receipt(one.receipt)
            self._confirmed[one.receipt.bot].append(one.id)
        self._wanted.set()

    def last(self, bot: str) -> int | None:
        """When a bot's last receipt was stored, microseconds since the epoch; None for none since the start."""
        return self._last.get(bot)

    def forget(self, bot: str) -> None:
        """Know nothing more of a bot."""
        self._last.pop(bot, None)
        self._confirmed.pop(bot, None)
        self._greeted.discard(bot)

    def greet(self, bot: str) -> None:
        """Tell a bot that came what time it is here, by a confirmation, of nothing where there is nothing else."""
        self._greeted.add(bot)
        self._wanted.set()

    async def run(self) -> None:
        """Confirm until cancelled."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(_CONFIRM_EVERY)
            self._wanted.clear()
            await self._link.wait_connected()
            while self._greeted and self._link.free:
                self._confirm(self._greeted.pop(), [])
            for bot, ids in self._confirmed.items():
                while ids and self._link.free:
                    self._confirm(bot, ids[:_CONFIRM_MOST])
                    del ids[:_CONFIRM_MOST]
            if self._greeted or any(self._confirmed.values()):
                self._wanted.set()

    def _confirm(self, bot: str, ids: list[str]) -> None:
        confirmation = Envelope(
            id=str(uuid4()),
            source=f"/gateways/{self._instance}",
            type=RECEIPTED,
            time=from_micros(self._clock()),
            dataschema=schema_urn(RECEIPTED),
            data=body(ReceiptedSchema, Receipted(receipts=tuple(ids))),
        )
        try:
            answer = self._link.publish(self._topics.receipted(bot), encode(confirmation), expiry=3600)
        except (LinkLost, PacketTooLarge):
            return  # the bot repeats what it saw no confirmation for
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())


def _finish(handled: Future[None], failure: Exception | None) -> None:
    if handled.done():  # the connection ended and took the handler with it
        return
    if failure is None:
        handled.set_result(None)
    else:
        handled.set_exception(failure)
