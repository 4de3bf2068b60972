"""Receipts: what the bots say became of a signal, on disk before the broker's copy is acknowledged, then confirmed."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from uuid import uuid4

from gateway.errors import NotStored
from gateway.journal.model import Journal
from gateway.mqtt.model import Link, LinkLost, PacketTooLarge
from gateway.telemetry import Telemetry
from schemas.card import Receipted, ReceiptedSchema
from schemas.envelope import RECEIPT, RECEIPTED, Envelope, body, decode, encode, schema_urn
from schemas.errors import ContractError
from schemas.fields import from_micros
from schemas.receipt import Receipt, ReceiptSchema
from schemas.record import load
from schemas.topics import NamedTopic, TopicError, Topics

_CONFIRM_EVERY = 0.1
"""Seconds in which the confirmations to one bot are gathered into one message."""

_CONFIRM_MOST = 1000
"""Ids in one confirmation; 40 bytes each."""


def read(topic: str, payload: bytes, *, topics: Topics) -> tuple[str, Receipt]:
    """Read a receipt and its envelope's id. A bot speaks for itself alone: by the topic, which the broker guards.

    Raises:
        ContractError, TopicError: the message is no receipt of the bot that the topic names.
    """
    place = topics.parse(topic)
    envelope = decode(payload)
    receipt: Receipt = load(ReceiptSchema, envelope.data)
    if envelope.type != RECEIPT or not isinstance(place, NamedTopic) or receipt.bot != place.name:
        raise TopicError(f"a receipt of {receipt.bot!r} on {topic!r}: a bot may send its own receipts only")
    return envelope.id, receipt


class Receipts:
    """Takes receipts off the broker, hands them to the journal, and tells each bot which ones are on disk."""

    def __init__(
        self,
        journal: Journal,
        link: Link,
        *,
        topics: Topics,
        instance: str,
        telemetry: Telemetry,
        clock: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._link = link
        self._topics = topics
        self._instance = instance
        self._telemetry = telemetry
        self._clock = clock
        self._confirmed: Mapping[str, list[str]] = defaultdict(list)
        self._wanted = asyncio.Event()

    async def take(self, topic: str, payload: bytes) -> None:
        """Handle one message of the receipts' filter."""
        try:
            id_, receipt = read(topic, payload, topics=self._topics)
        except (ContractError, TopicError) as error:
            self._telemetry.unreadable_receipt(topic=topic, problem=str(error))
            return
        try:
            await self._journal.receive([receipt], at=self._clock())
        except NotStored as error:
            self._telemetry.not_stored(cause=error.cause)
            return
        self._telemetry.receipt(receipt)
        self._confirmed[receipt.bot].append(id_)
        self._wanted.set()

    async def run(self) -> None:
        """Confirm until cancelled."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(_CONFIRM_EVERY)
            self._wanted.clear()
            await self._link.wait_connected()
            for bot, ids in self._confirmed.items():
                while ids and self._link.free:
                    self._confirm(bot, ids[:_CONFIRM_MOST])
                    del ids[:_CONFIRM_MOST]
            if any(self._confirmed.values()):
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
