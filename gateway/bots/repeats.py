"""Calls that have a key of their caller's, so that one that is made again is not sent again."""

from __future__ import annotations

import hashlib
import json
from asyncio import CancelledError, Task
from collections import OrderedDict
from dataclasses import dataclass

from gateway.bots.calls import Call, Ended, NotDelivered, Outcome
from gateway.errors import Code, Refused
from schemas.errors import Fault

_LONGEST = 86_400.0
"""Seconds that an outcome is kept; as long as a bot with the plugin keeps it."""

_MOST = 1_024
_MOST_BYTES = 16_777_216
"""Of replies."""


@dataclass(slots=True)
class _Kept:
    """A call that was sent, without its parameters, what came of it, and the number by which a late reply is known."""

    key: tuple[str, str]
    bot: str
    fingerprint: bytes
    number: str
    sending: Task[Ended]
    at: float
    late: Ended | None = None

    @property
    def ended(self) -> Ended | None:
        """What came of it; None while it is under way, and where it ended with an error."""
        if self.late is not None or not self.sending.done() or self.error is not None:
            return self.late
        return self.sending.result()

    @property
    def error(self) -> BaseException | None:
        """Why nothing came of it, where that is so."""
        task = self.sending
        return CancelledError() if task.cancelled() else task.exception() if task.done() else None


class Repeats:
    """Remembers the outcomes of a day, the newest thousand, in memory: a bot with the plugin remembers them on disk."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._numbers: dict[str, _Kept] = {}

    def find(self, call: Call, *, again: bool) -> Task[Ended] | Ended | None:
        """What came of the same call before, or the one that is under way; None where it is to be sent.

        Args:
            call: with a key.
            again: whether it may be sent again where nobody knows what came of it, as the bot runs it once anyway.

        Raises:
            Refused: the key was another call's.
        """
        kept = self._kept.get((call.who, call.key))
        if kept is None:
            return None
        if kept.fingerprint != _fingerprint(call):
            problem = "The key was used for another command, or with other parameters"
            raise Refused(Code.KEY_REUSED, Fault(where="Idempotency-Key", problem=problem, found=call.key[:80]))
        lost = again and kept.ended is not None and kept.ended.outcome is Outcome.UNKNOWN
        if lost or isinstance(kept.error, NotDelivered | Refused):
            self._forget(kept)
            return None
        return kept.late or kept.sending

    def keep(self, call: Call, sending: Task[Ended], *, number: str, now: float) -> None:
        """Remember a call that is being sent; ``now`` is seconds of a clock that nobody sets."""
        self._tidy(now)
        kept = _Kept((call.who, call.key), call.bot, _fingerprint(call), number, sending, now)
        self._kept[kept.key] = self._numbers[number] = kept

    def awaits(self, number: str) -> str | None:
        """The bot whose late reply would tell what came of a call; None where none would."""
        kept = self._numbers.get(number)
        ended = kept.ended if kept else None
        return kept.bot if kept and ended and ended.outcome is Outcome.UNKNOWN else None

    def learn(self, number: str, ended: Ended) -> None:
        """Take a late reply for what it says."""
        self._numbers[number].late = ended

    def _tidy(self, now: float) -> None:
        """Forget what is old, and the oldest where it is too much; what is under way stays."""
        size = sum(kept.ended.size for kept in self._kept.values() if kept.ended)
        for kept in list(self._kept.values()):
            old = now - kept.at > _LONGEST or len(self._kept) >= _MOST or size > _MOST_BYTES
            if not old:
                break
            if kept.sending.done():
                size -= kept.ended.size if kept.ended else 0
                self._forget(kept)

    def _forget(self, kept: _Kept) -> None:
        del self._kept[kept.key]
        del self._numbers[kept.number]


def _fingerprint(call: Call) -> bytes:
    """What is the same of two calls that ask for the same."""
    return hashlib.sha256(json.dumps([call.bot, call.command, call.data], sort_keys=True).encode()).digest()
