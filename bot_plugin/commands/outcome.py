"""What became of a command, told as one line in the log and one count each."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from schemas.fields import micros_text
from schemas.secrets import redact_text

log = logging.getLogger("bot_plugin.commands")

_MAX_NAME = 128
_MAX_REASON = 300


class Outcome(StrEnum):
    """How a command ended; but for ``done``, ``failed``, ``timed_out`` and ``interrupted`` it was not run."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    REPEATED = "repeated"
    LATE = "late"
    INVALID = "invalid"
    REUSED = "reused"
    NOT_ALLOWED = "not_allowed"
    UNKNOWN = "unknown"
    SIGNATURE = "signature"
    REPLY_TO = "reply_to"
    RETAINED = "retained"
    UNREADABLE = "unreadable"
    FULL = "full"
    NOT_STORED = "not_stored"
    STOPPING = "stopping"


class Audit:
    """Counts outcomes, and writes down who asked for what, when, and what became of it; never a parameter."""

    def __init__(self) -> None:
        self._counts: Counter[Outcome] = Counter()

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many commands ended how, of those that did."""
        return dict(self._counts)

    def tell(
        self,
        outcome: Outcome,
        *,
        command: str,
        sender: str = "",
        msg_id: str = "",
        at: int,
        reason: str = "",
        seconds: float | None = None,
    ) -> None:
        """Note one command.

        Args:
            outcome: how it ended.
            command: its name, or its topic where that names none.
            sender: who asks, as it says of itself, or the key that it signed with.
            msg_id: the caller's id of the call.
            at: when it arrived, microseconds since the epoch.
            reason: why, in words.
            seconds: for how long it ran; None where it did not.
        """
        self._counts[outcome] += 1
        log.log(
            logging.INFO if outcome in {Outcome.DONE, Outcome.REPEATED} else logging.WARNING,
            "command %r of %r (msg_id %r) at %s: %s%s%s",
            command[:_MAX_NAME],
            sender[:_MAX_NAME],
            msg_id[:_MAX_NAME],
            micros_text(at),
            outcome,
            "" if seconds is None else f" in {seconds:.3f} s",
            f": {_one_line(reason)}" if reason else "",
        )


def _one_line(reason: str) -> str:
    """What a log line can carry of a reason, which may quote a caller."""
    return "".join(sign if sign.isprintable() else " " for sign in redact_text(reason[:_MAX_REASON]))
