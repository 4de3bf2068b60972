"""Which drafts are new, and what place they get: the pure rules that every journal shares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.errors import Code, Refused
from gateway.journal.model import Destination, Draft, Duplicate
from schemas.errors import Fault

KEY_MEMORY = 86_400_000_000
"""Microseconds for which an idempotency key is remembered."""

EQUAL_MEMORY = 30_000_000
"""Microseconds within which an equal fingerprint makes a signal a duplicate, or marks it as a possible one."""

ROW_BYTES = 600
"""What a signal takes on disk besides its own bytes, as measured."""


class Earlier(NamedTuple):
    """A signal of the same source that was accepted before."""

    id: str
    at: int
    fingerprint: bytes = b""


def age(draft: Draft, earlier: Earlier) -> int:
    """Microseconds between two acceptances; a clock that was set back makes none negative."""
    return max(0, draft.accepted_at - earlier.at)


def repeated_key(draft: Draft, earlier: Earlier | None, *, where: str) -> Duplicate | None:
    """Judge a draft by the signal that had its idempotency key before.

    Raises:
        gateway.errors.Refused: the key was used for another body; ``where`` is the key's place in the request.
    """
    if earlier is None or age(draft, earlier) > KEY_MEMORY:
        return None
    if earlier.fingerprint == draft.identity.fingerprint:
        return Duplicate(of=earlier.id)
    fault = Fault(
        where=where,
        problem=f"the key was used for another body, which became the signal {earlier.id}",
        found=(draft.identity.key or "")[:80],
        cause="Give every new signal a key of its own, and send the same bytes again only with the same key.",
    )
    raise Refused(Code.KEY_REUSED, fault)


def repeated_body(draft: Draft, equals: Iterable[Earlier]) -> Duplicate | Earlier | None:
    """Judge a draft by equal ones, the oldest first: a duplicate, marked as a possible one of the first, or new."""
    identity = draft.identity
    recent = [earlier for earlier in equals if age(draft, earlier) <= EQUAL_MEMORY]
    if identity.drop:
        for earlier in recent:
            if identity.duplicate_after <= age(draft, earlier) <= identity.duplicate_until:
                return Duplicate(of=earlier.id)
    return recent[0] if recent else None


def place_of_key(index: int, *, of: int) -> str:
    """Where the idempotency key of one draft stands in a request of several."""
    return "idempotency_key" if of == 1 else f"[{index}].idempotency_key"


def next_sequence(draft: Draft, *, last: int) -> int:
    """The draft's number in its key: it grows also when the clock was set back."""
    return max(draft.accepted_at, last + 1)


def weight(draft: Draft, destination: Destination) -> int:
    """The bytes that a destination's row answers for in its source's share."""
    own = len(destination.topic) + len(destination.payload or b"")
    return own + (len(draft.head) + ROW_BYTES) // len(draft.destinations)
