"""A trial: what would become of a body, without anything being stored or published."""

from __future__ import annotations

import time

import uuid_utils

from gateway import pipeline
from gateway.config import Settings
from gateway.intake import Door, Format, Received
from gateway.pipeline import Road
from schemas.envelope import complete


def consider(settings: Settings, source: str, body: bytes, *, format_: Format = Format.AUTO) -> list[tuple[str, bytes]]:
    """What would be published for a body of a source, now: topics and payloads; changes nothing.

    Raises:
        KeyError: the source is not configured.
        Refused: the gateway would refuse the body.
    """
    road = Road(sources=settings.sources, topics=settings.topics)
    door = Door.HOOK if settings.sources[source].predictions is None else Door.PREDICTIONS
    received = Received(source=source, secrets={}, body=body, at=time.time_ns() // 1000, door=door)
    new_id = uuid_utils.uuid7
    drafts, _ = pipeline.consider(
        received, settings.sources[source], road=road, new_id=lambda: str(new_id()), format_=format_
    )
    return [
        (destination.topic, destination.payload or complete(draft.head, sequence=draft.accepted_at))
        for draft in drafts
        for destination in draft.destinations
    ]
