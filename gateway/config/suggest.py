"""Did you mean: the known word nearest to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def suggestion(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """``; did you mean 'port'?``, or nothing where no known word is near."""
    near = get_close_matches(word[:80], list(known), n=1, cutoff=likeness)
    return f"; did you mean {near[0]!r}?" if near else ""
