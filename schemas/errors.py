"""What is wrong with a message, and where: the one way in which a reader of the contract complains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong.

    Args:
        where: the field as a path, ``order.price`` or ``[3].ticker``; empty for the message as a whole.
        problem: one sentence, for the person who wrote the message.
        found: the offending text, at most 80 characters; None where nothing was there.
        cause: the likely cause and what to do; empty where none is known.
        line: line in the body, from 1; None where it has no place.
        column: column in the body, from 1.
    """

    where: str
    problem: str
    found: str | None = None
    cause: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        found = f" (found {self.found!r})" if self.found is not None else ""
        cause = f" {self.cause}" if self.cause else ""
        return f"{place}{self.problem}{found}.{cause}"


class ContractError(ValueError):
    """The message does not follow the contract; ``faults`` says where."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__(" ".join(str(fault) for fault in faults))


def faults_of(messages: Mapping[str, Any] | list[Any], *, where: str = "") -> Iterable[Fault]:
    """Flatten marshmallow's nested messages into faults."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from faults_of(inner, where=_below(where, name))
        return
    for message in messages:
        if isinstance(message, Mapping | list):
            yield from faults_of(message, where=where)
        else:
            yield Fault(where=where, problem=str(message).rstrip("."))


def _below(where: str, name: Any) -> str:
    if name == "_schema":
        return where
    if isinstance(name, int):
        return f"{where}[{name}]"
    step = str(name)[:80]
    return f"{where}.{step}" if where else step
