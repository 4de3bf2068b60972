"""The ids that were told of last: what the disk does not have yet, and some more that are asked for often."""

from __future__ import annotations

from schemas.receipt import Receipt

ROOM = 1000
"""Ids that stay in memory though they are on the disk: a redelivered one is asked for soon after it came."""


class Latest:
    """Ids with their final receipts, and ids that were forgotten, until the disk has that.

    ``told`` counts changes: an entry is on the disk when as many are stored.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, tuple[Receipt, ...]]] = {}
        self._forgotten: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, id_: str) -> tuple[Receipt, ...] | None:
        """The final receipts of an id; None where it is not here."""
        found = self._kept.get(id_)
        return None if found is None else found[1]

    def is_forgotten(self, id_: str) -> bool:
        """Whether an id that the disk may still have is forgotten."""
        return id_ in self._forgotten

    def keep(self, id_: str, receipts: tuple[Receipt, ...] = (), *, told: int) -> None:
        """Remember an id as it is now."""
        self._kept.pop(id_, None)
        self._kept[id_] = told, receipts

    def forget(self, ids: list[str], *, told: int) -> None:
        """Forget ids."""
        for id_ in ids:
            self._kept.pop(id_, None)
            self._forgotten[id_] = told

    def leave_to_the_disk(self, *, stored: int) -> None:
        """Drop what the disk has."""
        while len(self._kept) > ROOM and next(iter(self._kept.values()))[0] <= stored:
            del self._kept[next(iter(self._kept))]
        while self._forgotten and next(iter(self._forgotten.values())) <= stored:
            del self._forgotten[next(iter(self._forgotten))]
