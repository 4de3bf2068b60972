"""What a caller gets back: done, refused, or unknown, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Self, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Outcome(StrEnum):
    """What came of a command."""

    DONE = "done"
    """The bot answered that it did it; whether that is more than a word, ``Result.confirmed`` tells."""
    REFUSED = "refused"
    """The bot answered with an error: it was not done, or not to its end; or the broker let nobody have it, or
    the client is not for this bot. ``Result.msg`` says which."""
    UNKNOWN = "unknown"
    """No answer came in time: it was done, or not. ``Result.reason`` says what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[T_co]):
    """What came of one command.

    Args:
        bot: who it was for.
        command: which, as in its topic: ``balance/limit``.
        outcome: done, refused or unknown.
        status: the bot's own number, 200 or 400; None where it did not answer.
        msg: the bot's own words, or the broker's where that refused; may be empty.
        reason: why the outcome is unknown, or why ``data`` is None though the bot did it; empty otherwise.
        data: what the command answers, typed; None unless it was done and could be read.
        more: what the bot answered besides status and msg, as it came.
        confirmed: whether a *done* is a fact. A stock Hummingbot answers 200 as soon as it has taken ``start`` or
            ``stop`` on, and to both balances whatever happens: watch its events, status and log for what it then did.
        sent: whether the broker took it for somebody; False where it cannot have been run.
        msg_id: the call's id; repeat a command with it as ``idempotency_key``, and a bot with the plugin runs it once.
        took: seconds from the call to the end of waiting.
    """

    bot: str
    command: str
    outcome: Outcome
    status: int | None = None
    msg: str = ""
    reason: str = ""
    data: T_co | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    confirmed: bool = False
    sent: bool = True
    msg_id: str = ""
    took: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the bot says that it did it."""
        return self.outcome is Outcome.DONE

    def checked(self) -> Self:
        """The result itself, where the bot says that it did it.

        Raises:
            CommandRefused: it was refused.
            CommandUnknown: no answer came in time.
        """
        if self.outcome is Outcome.REFUSED:
            raise CommandRefused(self)
        if self.outcome is Outcome.UNKNOWN:
            raise CommandUnknown(self)
        return self

    def __str__(self) -> str:
        words = self.msg or self.reason
        return f"{self.command} of {self.bot}: {self.outcome}{f', {words}' if words else ''}"


class CommandRefused(RuntimeError):
    """The command was not done, and its result says why."""

    def __init__(self, result: Result[Any]) -> None:
        self.result = result
        super().__init__(str(result))


class CommandUnknown(RuntimeError):
    """Nobody answered in time: the command was run, or not."""

    def __init__(self, result: Result[Any]) -> None:
        self.result = result
        super().__init__(str(result))
