"""The story on one page: a request becomes signals on disk, and from there delivery takes them to the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.delivery import route
from gateway.errors import NotStored, Refused, Unauthorised
from gateway.intake import (
    Document,
    Format,
    Keys,
    Received,
    Source,
    authenticate,
    draft,
    each,
    guard,
    identify,
    normalise,
    parse,
    seal,
    secrets_shown,
    valid_until,
)
from gateway.journal.journal import Journal
from gateway.journal.model import Accepted, Draft, Duplicate, Refusal
from gateway.telemetry import Telemetry
from schemas.topics import Topics


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """What the stations need to know of the configuration.

    Args:
        sources: the sources by name.
        topics: the topic tree.
    """

    sources: Mapping[str, Source]
    topics: Topics


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one signal of a request: its id, or that of the first one where it is a duplicate."""

    id: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request; it is on disk."""

    entries: tuple[Entry, ...]
    is_array: bool


def consider(
    received: Received, source: Source, *, road: Road, new_id: Callable[[], str], format_: Format = Format.AUTO
) -> tuple[list[Draft], bool]:
    """Make drafts of a request's body, or refuse it whole; say whether it was an array.

    Raises:
        Refused: with a fault for each thing that is wrong, in an array with its index.
    """
    batch = parse(received.body, source=source, secrets=secrets_shown(received, source=source), as_=format_)
    alone = None if batch.is_array else received.body

    def make(document: Document) -> Draft:
        return _draft(document, received, source, road=road, id_=new_id(), body=alone)

    return each(batch, make), batch.is_array


def _draft(
    document: Document, received: Received, source: Source, *, road: Road, id_: str, body: bytes | None
) -> Draft:
    signal = normalise(document, source=source)
    expires_at = guard(signal, source=source, accepted_at=received.at, valid_until=valid_until(document))
    envelope = seal(
        signal,
        source=source,
        id_=id_,
        accepted_at=received.at,
        expires_at=expires_at,
        traceparent=received.traceparent,
    )
    destinations = route(envelope, signal, stock_bots=source.stock_bots, topics=road.topics)
    identity = identify(document, signal, source=source, header_key=received.idempotency_key, body=body)
    return draft(envelope, signal, source=source, destinations=destinations, identity=identity)


class Pipeline:
    """The road from a request to the disk. One call is one request; many share one commit."""

    def __init__(
        self,
        road: Road,
        *,
        keys: Keys,
        admit: Callable[[str], None],
        journal: Journal,
        offer: Callable[[Sequence[Accepted]], None],
        telemetry: Telemetry,
        new_id: Callable[[], str],
    ) -> None:
        self._road = road
        self._keys = keys
        self._admit = admit
        self._journal = journal
        self._offer = offer
        self._telemetry = telemetry
        self._new_id = new_id

    async def take(self, received: Received) -> Taken:
        """Take a request in; when this returns, its signals are on disk.

        Raises:
            Unauthorised: no secret that opens the source.
            Refused: the body is wrong; the refusal is in the journal.
            NotStored: nothing was stored; the sender should send it again.
        """
        try:
            source = authenticate(received, sources=self._road.sources, keys=self._keys)
        except Unauthorised as unauthorised:
            self._telemetry.unauthorised(cause=unauthorised.cause, source=received.source)
            raise
        self._telemetry.received(source=source.name)
        try:
            self._admit(source.name)
            drafts, is_array = consider(received, source, road=self._road, new_id=self._new_id)
            results = await self._journal.accept(drafts)
        except Refused as refused:
            await self._refuse(refused, received)
            raise
        except NotStored as not_stored:
            self._telemetry.not_stored(cause=not_stored.cause)
            raise
        self._offer([result for result in results if isinstance(result, Accepted)])
        return Taken(tuple(self._entry(draft, result) for draft, result in zip(drafts, results, strict=True)), is_array)

    def _entry(self, draft: Draft, result: Accepted | Duplicate) -> Entry:
        if isinstance(result, Duplicate):
            self._telemetry.duplicate(source=draft.source, id_=result.of)
            return Entry(result.of, duplicate=True)
        self._telemetry.accepted(result)
        return Entry(draft.id)

    async def _refuse(self, refused: Refused, received: Received) -> None:
        refusal = Refusal(
            id=self._new_id(),
            source=received.source,
            at=received.at,
            code=refused.code.code,
            faults=refused.faults,
            size=len(received.body),
        )
        self._telemetry.refused(refusal)
        try:
            await self._journal.refuse(refusal)
        except NotStored as not_stored:
            self._telemetry.not_stored(cause=not_stored.cause)


__all__ = ["Entry", "Pipeline", "Road", "Taken", "consider"]
