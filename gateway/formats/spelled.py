"""What a dialect's reader makes of a document: raw values by field, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Spelled:
    """The values of one document, as they were sent.

    Args:
        fields: by field name, all places that spell it: ``(path, value)``, the one that counts first.
        extra: every key that was not recognised, by its path.
    """

    fields: Mapping[str, list[tuple[str, Any]]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
