"""The gateway's own card: retained while it is there, and its last will when it is not."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable

from gateway.mqtt import Ack, Link, LinkLost, PacketTooLarge, Will
from schemas.card import GatewayCard, GatewayCardSchema, Presence
from schemas.envelope import GATEWAY_CARD, Envelope, body, encode, schema_urn
from schemas.fields import from_micros
from schemas.topics import Topics


class GatewayPresence:
    """Says that this gateway is online, or offline.

    Args:
        instance: the gateway's name in its topic.
        version: of the gateway.
        clock: microseconds since the epoch; its first answer is ``since``.
        new_id: makes ids.
    """

    def __init__(
        self, *, topics: Topics, instance: str, version: str, clock: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        self._topic = topics.gateway(instance)
        self._instance = instance
        self._version = version
        self._clock = clock
        self._new_id = new_id
        self.since = clock()

    @property
    def will(self) -> Will:
        """What the broker says when the gateway vanishes."""
        return Will(topic=self._topic, payload=self._card(Presence.OFFLINE))

    def say(self, presence: Presence, link: Link) -> Future[Ack] | None:
        """Publish the card, where there is a connection."""
        try:
            answer = link.publish(self._topic, self._card(presence), retain=True)
        except (LinkLost, PacketTooLarge):
            return None
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return answer

    def _card(self, presence: Presence) -> bytes:
        card = GatewayCard(
            instance=self._instance, presence=presence, since=from_micros(self.since), version=self._version
        )
        envelope = Envelope(
            id=self._new_id(),
            source=f"/gateways/{self._instance}",
            type=GATEWAY_CARD,
            time=from_micros(self._clock()),
            dataschema=schema_urn(GATEWAY_CARD),
            data=body(GatewayCardSchema, card),
        )
        return encode(envelope)
