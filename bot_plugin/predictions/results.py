"""What a pipeline gets back for a prediction: accepted, duplicate, refused, unsent, or unknown, never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """What became of a prediction."""

    ACCEPTED = "accepted"
    """It is on the gateway's disk."""
    DUPLICATE = "duplicate"
    """It was there before, under this id."""
    REFUSED = "refused"
    """The gateway will not have it: ``Result.reason`` and ``Result.faults`` say why. It is not sent again."""
    UNSENT = "unsent"
    """It is not at the gateway, and will not be: it ran out, or no time was left. ``Result.reason`` says which."""
    UNKNOWN = "unknown"
    """It was sent, and no answer came: it is there, or not. Sent again with its key, it is there once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong, as the gateway says it.

    Args:
        where: the field as a path, ``probabilities.long``; empty for the prediction as a whole.
        problem: one sentence.
        found: the offending text; None where nothing was there.
        cause: the likely cause and what to do; empty where none is known.
    """

    where: str
    problem: str
    found: str | None = None
    cause: str = ""

    def __str__(self) -> str:
        """For a person."""
        place = f"{self.where}: " if self.where else ""
        found = f" (found {self.found!r})" if self.found is not None else ""
        return f"{place}{self.problem}{found}.{f' {self.cause}' if self.cause else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one prediction.

    Args:
        outcome: accepted, duplicate, refused, unsent or unknown.
        id: the signal's id, from the gateway to the bot; None unless it is there.
        idempotency_key: the prediction's key; with it, it can be sent again and is there once.
        reason: why it is not there, or why nobody knows; empty where it is.
        faults: what the gateway found wrong with it.
        attempts: how often it was sent.
        took: seconds from the call to the answer.
    """

    outcome: Outcome
    idempotency_key: str
    id: str | None = None
    reason: str = ""
    faults: tuple[Fault, ...] = ()
    attempts: int = 0
    took: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it is on the gateway's disk, now or since before."""
        return self.outcome in {Outcome.ACCEPTED, Outcome.DUPLICATE}

    def checked(self) -> Self:
        """The result itself, where the prediction is on the gateway's disk.

        Raises:
            NotAccepted: it is not, or nobody knows.
        """
        if not self.ok:
            raise NotAccepted(self)
        return self

    def __str__(self) -> str:
        """For a person."""
        return f"{self.outcome}{f', {self.reason}' if self.reason else ''}{f' {self.id}' if self.id else ''}"


class NotAccepted(RuntimeError):
    """A prediction is not at the gateway, or nobody knows; its result says why."""

    def __init__(self, result: Result) -> None:
        self.result = result
        super().__init__(str(result))
