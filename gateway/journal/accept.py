"""Accept: decide for each draft of a call whether it is new, a repetition, or too much; all of them or none."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import NotStored, Refused
from gateway.journal.admission import Earlier, place_of_key, repeated_body, repeated_key, weight
from gateway.journal.batch import Batch
from gateway.journal.ledger import name
from gateway.journal.model import Accepted, Draft, Duplicate


def accept(drafts: Sequence[Draft], *, batch: Batch, share: int) -> list[Accepted | Duplicate]:
    """Add the new drafts to the batch; ``share`` is the bytes that one source's unfinished signals may fill.

    Raises:
        gateway.errors.Refused: an idempotency key was used for another body; then nothing is added.
        gateway.errors.NotStored: a source's share is full; then nothing is added.
    """
    if len(drafts) == 1:
        return [_admit(drafts[0], where=place_of_key(0, of=1), batch=batch, share=share)]
    child = batch.child()
    results = [
        _admit(draft, where=place_of_key(index, of=len(drafts)), batch=child, share=share)
        for index, draft in enumerate(drafts)
    ]
    batch.take(child)
    return results


def accept_each(
    drafts: Sequence[Draft], *, batch: Batch, share: int
) -> list[Accepted | Duplicate | Refused | NotStored]:
    """Add the new drafts to the batch, each on its own: one that is refused holds up nobody.

    The first NotStored is the last result: what comes behind it is not added, so that nothing overtakes.
    """
    results: list[Accepted | Duplicate | Refused | NotStored] = []
    for draft in drafts:
        try:
            results.append(_admit(draft, where=place_of_key(0, of=1), batch=batch, share=share))
        except Refused as refused:
            results.append(refused)
        except NotStored as not_stored:
            return [*results, not_stored]
    return results


def _admit(draft: Draft, *, where: str, batch: Batch, share: int) -> Accepted | Duplicate:
    repeated = _repeated(draft, where=where, batch=batch)
    if isinstance(repeated, Duplicate):
        return repeated
    weights = [weight(draft, destination) for destination in draft.destinations]
    if batch.weight(draft.source) + sum(weights) > share:
        raise NotStored(
            "share",
            f"The unfinished signals of source {draft.source} fill its share of the journal, {share} bytes. See why "
            "they are not delivered, or raise journal.max_bytes or journal.share.",
        )
    return batch.add(draft, weights=weights, first=repeated)


def _repeated(draft: Draft, *, where: str, batch: Batch) -> Duplicate | Earlier | None:
    """By the key alone where there is one: its sender tells what is new."""
    identity = draft.identity
    if identity.key is not None:
        return repeated_key(draft, batch.keyed(draft.source, identity.key), where=where)
    equals = batch.equals(name(draft.source, identity.fingerprint))
    return repeated_body(draft, equals) if equals else None
