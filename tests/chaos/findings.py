"""What a checker may find wrong, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """How a promise was broken."""

    LOST = "lost"
    TWICE = "twice"
    REORDERED = "reordered"
    LATE = "late"
    INTERRUPTED = "interrupted too often"
    UNREPORTED = "unreported"
    UNEXPLAINED = "unexplained"
    UNFINISHED = "unfinished"
    UNSETTLED = "unsettled"
    GROWN = "grown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise. ``bot`` is empty where it is the gateway's own, ``id`` where it is nobody's in particular."""

    wrong: Wrong
    bot: str
    id: str
    detail: str
