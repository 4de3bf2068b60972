"""The story on one page: a request becomes signals on disk, and from there delivery takes them to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from gateway.delivery import route
from gateway.errors import Code, NotStored, Refused, Unauthorised
from gateway.intake import (
    Document,
    Door,
    Format,
    Keys,
    Line,
    Received,
    Source,
    authenticate,
    causationid,
    demand,
    draft,
    each,
    guard,
    identify,
    lasting,
    normalise,
    parse,
    predict,
    seal,
    secrets_shown,
    valid_until,
)
from gateway.journal.journal import Journal
from gateway.journal.model import Accepted, Draft, Duplicate, Refusal
from gateway.telemetry import Telemetry
from schemas.alert import Alert
from schemas.errors import Fault
from schemas.prediction import Prediction
from schemas.topics import Topics
from schemas.trade import Trade


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

    What programs send is JSON, whatever ``format_`` says.

    Raises:
        Refused: with a fault for each thing that is wrong, in an array with its index.
    """
    if received.door is not Door.HOOK:
        format_ = Format.JSON
    batch = parse(received.body, source=source, secrets=secrets_shown(received, source=source), as_=format_)
    alone = None if batch.is_array else received.body
    places = map(_place, count())

    def make(document: Document) -> Draft:
        return _draft(document, received, source, road=road, id_=new_id(), place=next(places), body=alone)

    return each(batch, make), batch.is_array


def _place(index: int) -> str:
    """Where a document stands in a request, as its part of the request's own idempotency key.

    The first one's is empty, so that it is known again however the body is wrapped.
    """
    return f"[{index}]" if index else ""


def _consider_line(line: Line, received: Received, source: Source, *, road: Road, id_: str) -> Draft:
    if line.refused is not None:
        raise line.refused
    if line.body.lstrip().startswith(b"["):
        cause = "Each line is an object of its own. An array is sent as application/json."
        raise Refused(Code.UNREADABLE, Fault(where="", problem="the line is an array", cause=cause))
    batch = parse(line.body, source=source, secrets=secrets_shown(received, source=source), as_=Format.JSON)
    (document,) = batch.documents
    place = _place(line.number - 1)
    return _draft(document, received, source, road=road, id_=id_, place=place, body=line.body)


def _understand(document: Document, received: Received, source: Source) -> tuple[Trade | Alert | Prediction, int]:
    """What a document says, and until when it is true."""
    if source.predictions is not None:
        prediction = predict(document, source=source, accepted_at=received.at)
        return prediction, lasting(prediction, source=source, accepted_at=received.at)
    if received.door is Door.SIGNALS:
        demand(document)
    signal = normalise(document, source=source)
    return signal, guard(signal, source=source, accepted_at=received.at, valid_until=valid_until(document))


def _draft(
    document: Document, received: Received, source: Source, *, road: Road, id_: str, place: str, body: bytes | None
) -> Draft:
    signal, expires_at = _understand(document, received, source)
    envelope = seal(
        signal,
        source=source,
        id_=id_,
        accepted_at=received.at,
        expires_at=expires_at,
        traceparent=received.traceparent,
        causationid=causationid(document) if isinstance(signal, Trade) else None,
    )
    destinations = route(envelope, signal, stock_bots=source.stock_bots, topics=road.topics)
    key = received.idempotency_key
    identity = identify(document, signal, source=source, header_key=key, place=place, body=body)
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
        return await self.take_from(await self.enter(received), received)

    async def enter(self, received: Received) -> Source:
        """Say whose request it is, before its body is read; where the body is signed, after that.

        Raises:
            Unauthorised: no secret that opens the source.
            Refused: the source takes something else at this address.
            NotStored: the source sends more than it may.
        """
        try:
            source = authenticate(received, sources=self._road.sources, keys=self._keys)
        except Unauthorised as unauthorised:
            self._telemetry.unauthorised(cause=unauthorised.cause, source=received.source)
            raise
        self._telemetry.received(source=source.name)
        try:
            _check_door(source, received.door)
            self._admit(source.name)
        except Refused as refused:
            await self._refuse(refused, received)
            raise
        except NotStored as not_stored:
            self._telemetry.not_stored(cause=not_stored.cause)
            raise
        return source

    def opens(self, received: Received) -> bool:
        """Whether the token of a request opens its source now, and for more than one request."""
        return self._keys.lasts(received.source, received.secrets.get("bearer", ""))

    async def take_from(self, source: Source, received: Received) -> Taken:
        """Take a request of a source in, all of it or nothing; when this returns, its signals are on disk.

        Raises:
            Refused: the body is wrong; the refusal is in the journal.
            NotStored: nothing was stored; the sender should send it again.
        """
        try:
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

    async def take_lines(
        self, source: Source, received: Received, lines: Sequence[Line]
    ) -> list[Entry | Refused | NotStored]:
        """Take lines of a source's request in, each on its own; when this returns, all that was stored is on disk.

        The first NotStored is the last result: what comes behind it is not stored, so that nothing overtakes.
        """
        made = [self._made(line, received, source) for line in lines]
        try:
            stored = await self._journal.accept_each([draft for draft in made if isinstance(draft, Draft)])
        except NotStored as not_stored:
            stored = [not_stored]
        self._offer([result for result in stored if isinstance(result, Accepted)])
        results = list(self._results(made, iter(stored)))
        answered = zip(lines, results, strict=False)
        refusals = [(result, line.body) for line, result in answered if isinstance(result, Refused)]
        await asyncio.gather(*(self._refuse(refused, replace(received, body=body)) for refused, body in refusals))
        return results

    def _made(self, line: Line, received: Received, source: Source) -> Draft | Refused:
        try:
            return _consider_line(line, received, source, road=self._road, id_=self._new_id())
        except Refused as refused:
            return refused

    def _results(
        self, made: Sequence[Draft | Refused], stored: Iterator[Accepted | Duplicate | Refused | NotStored]
    ) -> Iterator[Entry | Refused | NotStored]:
        """Put the results of what was stored between those of what was refused before."""
        for one in made:
            result = one if isinstance(one, Refused) else next(stored)
            if isinstance(result, NotStored):
                self._telemetry.not_stored(cause=result.cause)
                yield result
                return
            if isinstance(result, Refused):
                yield result
            elif isinstance(one, Draft):
                yield self._entry(one, result)

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


def _check_door(source: Source, door: Door) -> None:
    takes = Door.PREDICTIONS if source.predictions is not None else Door.SIGNALS
    if door is takes or (door is Door.HOOK and takes is Door.SIGNALS):
        return
    what = "predictions" if takes is Door.PREDICTIONS else "trades and alerts"
    cause = f"Send them to /v1/{takes}/{source.name}."
    raise Refused(Code.WRONG_ADDRESS, Fault(where="", problem=f"the source {source.name} takes {what}", cause=cause))


__all__ = ["Entry", "Pipeline", "Road", "Taken", "consider"]
