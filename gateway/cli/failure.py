"""How a command ends: the exit codes that scripts can rely on."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    REFUSED = 1
    """Refused, not found, or a check that failed."""
    USAGE = 2
    UNEXAMINED = 2
    """``doctor`` alone: the broker could not be examined, or not to the end."""
    UNREACHABLE = 3
    """The gateway, the broker or the bot does not answer."""
    CONFIGURATION = 4
    INTERRUPTED = 130


class Failure(Exception):  # named as gateway.errors are
    """A command ends with a message and an exit code.

    Args:
        exit_code: how the process ends.
        message: what is wrong and what to do; may have several lines.
        facts: the same for programs.
    """

    def __init__(self, exit_code: Exit, message: str, **facts: Any) -> None:
        self.exit_code = exit_code
        self.facts = facts
        super().__init__(message)
