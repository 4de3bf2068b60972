"""Which receipts are new, and which are left out: the pure rules that every journal shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from gateway.journal.reception import Reception
from schemas.receipt import Receipt, Stage

MOST = 64
"""Receipts that are kept of one bot for one signal."""

UNHANDLED = frozenset(stage.value for stage in (Stage.FAILED, Stage.INTERRUPTED, Stage.REFUSED, Stage.EXPIRED))
"""Stages at which a bot leaves what a signal asks undone."""


class Place(NamedTuple):
    """What makes a receipt the same as another."""

    signal: int
    bot: str
    handler: str
    stage: str


def new_receipts(
    receipts: Iterable[Receipt], *, positions: Mapping[str, int], stored: Collection[Place]
) -> tuple[dict[Place, Receipt], Reception]:
    """Choose the receipts to store.

    Args:
        receipts: those that came.
        positions: where the signals stand that are known, by id.
        stored: what is stored for these signals.
    """
    new: dict[Place, Receipt] = {}
    kept = Counter((place.signal, place.bot) for place in stored)
    unknown = surplus = 0
    for receipt in receipts:
        position = positions.get(receipt.signal)
        if position is None:
            unknown += 1
            continue
        place = Place(position, receipt.bot, spelled(receipt.handler or ""), receipt.stage.value)
        if place in stored or place in new:
            continue
        if kept[position, receipt.bot] >= MOST:
            surplus += 1
            continue
        kept[position, receipt.bot] += 1
        new[place] = receipt
    return new, Reception(unknown=unknown, surplus=surplus)


def spelled(text: str) -> str:
    """Text that UTF-8 can spell: JSON may bring a lone surrogate, and a receipt is not lost for it."""
    return text if text.isascii() else text.encode(errors="replace").decode()
