"""A document's fields while they are read: what was taken, what is left over, and every fault on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gateway.errors import Code, Refused
from gateway.formats import Spelled
from gateway.intake.batch import MAX_FAULTS
from gateway.intake.values import is_absent, plain
from schemas.errors import Fault

_T = TypeVar("_T")
Place = tuple[str, Any]


class Reading:
    """Reads a Spelled field by field; what is not taken ends in ``extra``, what is wrong in ``faults``."""

    def __init__(self, spelled: Spelled) -> None:
        self._fields = dict(spelled.fields)
        self.extra = {path: plain(value) for path, value in spelled.extra.items()}
        self.inferred: list[str] = []
        self.faults: list[Fault] = []

    def places(self, field: str) -> list[Place]:
        """Take every place that spells a field and is not absent."""
        if field not in self._fields:
            return []
        return [place for place in self._fields.pop(field) if not is_absent(place[1])]

    def place(self, field: str) -> Place | None:
        """Take the place that counts; other spellings of the same field are left over."""
        if field not in self._fields:
            return None
        found = self._fields.pop(field)
        if len(found) > 1:
            found = [place for place in found if not is_absent(place[1])]
            for path, value in found[1:]:
                self.leave(path, value)
        return found[0] if found and not is_absent(found[0][1]) else None

    def read(self, field: str, reader: Callable[[str, Any], _T]) -> _T | None:
        """Read a field; a fault is kept for the end, so that the sender sees all of them at once."""
        place = self.place(field) if field in self._fields else None
        return None if place is None else self.attempt(reader, *place)

    def attempt(self, reader: Callable[[str, Any], _T], path: str, value: Any) -> _T | None:
        """Apply a reader to a value that was taken."""
        try:
            return reader(path, value)
        except Refused as refused:
            self.faults += refused.faults
            return None

    def absent(self, field: str) -> str | None:
        """Tell the path of a field that is spelled, but whose value is absent; the field is not taken."""
        if field not in self._fields:
            return None
        return next((path for path, value in self._fields[field] if is_absent(value)), None)

    def give_back(self, field: str, path: str, value: Any) -> None:
        """Return a place that means something else than the field it was taken as."""
        self._fields[field] = [*self._fields.get(field, ()), (path, value)]

    def leave(self, path: str, value: Any) -> None:
        """Keep a value that has no field of its own."""
        self.extra[path] = plain(value)

    def finish(self) -> None:
        """Leave what was not taken over.

        Raises:
            Refused: INVALID, with every fault of the reading.
        """
        if self.faults:
            raise Refused(Code.INVALID, *dict.fromkeys(self.faults[:MAX_FAULTS]))
        for field in tuple(self._fields):
            for path, value in self.places(field):
                self.leave(path, value)
