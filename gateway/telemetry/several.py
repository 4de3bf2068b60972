"""Several listeners as one: each fact goes to those that take it, and where only one does, straight to it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any

from gateway.telemetry.facts import Telemetry
from gateway.telemetry.null import NullTelemetry

_log = logging.getLogger(__name__)

VERBS = tuple(name for name, verb in vars(Telemetry).items() if inspect.isfunction(verb) and not name.startswith("_"))

Verb = Callable[..., None]


class Several(NullTelemetry):
    """Hands each fact to every listener that does something with it.

    A listener says by what it does not inherit from NullTelemetry which facts it takes: those of a signal on its way
    through the gateway cost nothing more for listeners that do not take them.
    """

    def __init__(self, *listeners: Telemetry) -> None:
        for name in VERBS:
            takers = [getattr(listener, name) for listener in listeners if _takes(listener, name)]
            if takers:
                setattr(self, name, takers[0] if len(takers) == 1 else _each(takers))


def _takes(listener: Telemetry, name: str) -> bool:
    return getattr(type(listener), name) is not getattr(NullTelemetry, name)


def _each(takers: Sequence[Verb]) -> Verb:
    def tell(*arguments: Any, **named: Any) -> None:
        for take in takers:
            try:
                take(*arguments, **named)
            except Exception:  # noqa: BLE001 - the part that reports goes on, and so do the other listeners
                _log.error("a listener failed", exc_info=True)

    return tell
