"""One row as an MQTT message."""

from __future__ import annotations

from asyncio import Future

from gateway.journal.model import Waiting
from gateway.mqtt.model import Ack, Link, Version
from schemas.envelope import CONTENT_TYPE, attributes, complete


def publish(row: Waiting, *, previous: int | None, link: Link, now: int) -> Future[Ack]:
    """Send a row; the same row and previous number give the same bytes.

    Args:
        row: what to send.
        previous: the number that was put before it on its lane.
        link: where to.
        now: microseconds since the epoch; the broker drops the message at the expiry, to the second before.

    Raises:
        LinkLost: not connected, or no place in the window.
        PacketTooLarge: the broker does not accept it.
    """
    envelope, payload = row.sequence is not None, row.payload
    if envelope:
        payload = complete(
            payload, sequence=row.sequence, previous=previous, possible_duplicate_of=row.possible_duplicate_of
        )
    if link.version is not Version.V5:
        return link.publish(row.topic, payload)
    return link.publish(
        row.topic,
        payload,
        expiry=max(1, (row.expires_at - now) // 1_000_000),
        content_type=CONTENT_TYPE if envelope else "application/json",
        properties=attributes(payload) if envelope else None,
    )
