"""What an answer of the gateway means: pure functions, so that every case can be tested."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from bot_plugin.predictions.results import Fault, Outcome

LONGEST_PAUSE = 300.0
"""Seconds that a ``Retry-After`` may ask for, at most."""

_TOLERANCE = 60
"""Seconds that two clocks may differ before that is named as the likely cause of a 401."""

_BUSY = frozenset({408, 409, 425, 429})
"""Besides 5xx, what another try may mend."""

_NOT_STORED = frozenset({429, 503})
"""Where the gateway itself says them, nothing of the request is on its disk."""


class Step(StrEnum):
    """What to do after an answer that is not 200."""

    REFUSED = "refused"
    """No other try mends it."""
    AGAIN = "again"
    """Send it again, later."""
    FEWER = "fewer"
    """Send it again with fewer predictions at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer for a whole request means.

    Args:
        step: what to do.
        reason: why, in words.
        faults: what the gateway found wrong.
        after: seconds to wait before another try, at least.
        certain: whether it is certain that nothing of the request was stored.
    """

    step: Step
    reason: str
    faults: tuple[Fault, ...] = ()
    after: float = 0.0
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line of an answer.

    Args:
        outcome: of its prediction; None where that is to be sent again.
        done: whether this is the last line, which is of no prediction.
        stopped: whether this is the last line, and what was not answered before it is to be sent again.
        place: of its prediction in the request, from 0, where the line says it.
    """

    outcome: Outcome | None = None
    id: str | None = None
    reason: str = ""
    faults: tuple[Fault, ...] = ()
    done: bool = False
    stopped: bool = False
    place: int | None = None


def judge(status: int, headers: Mapping[str, str], body: bytes, *, lines: int, now: datetime) -> Verdict:
    """Say what an answer other than 200 means for every prediction of its request.

    Args:
        status: 100 to 599.
        headers: their names in lower case.
        body: as far as it was read.
        lines: how many predictions the request had.
        now: by this machine's clock.
    """
    problem = _problem(headers, body)
    reason = _reason(status, problem)
    if status == 413 and lines > 1:  # noqa: PLR2004
        return Verdict(step=Step.FEWER, reason=reason)
    if status in _BUSY or status >= 500:  # noqa: PLR2004
        certain = status in _NOT_STORED and problem is not None
        return Verdict(step=Step.AGAIN, reason=reason, after=_after(headers, now=now), certain=certain)
    if 300 <= status < 400:  # noqa: PLR2004
        reason = f"{reason}: the gateway never answers so; url is to be its own address"
    if status == 401:  # noqa: PLR2004
        wrong = "the source's name, its key or its secret is wrong, and the gateway's log says which"
        reason = f"the answer was 401: {wrong}{_apart(headers, now=now)}"
    return Verdict(step=Step.REFUSED, reason=reason, faults=_faults(problem))


def read_line(line: bytes) -> Told | None:
    """Read one line of an answer; None for one that says nothing."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if document.get("done") is True:
        return Told(done=True)
    if document.get("done") is False:
        return Told(stopped=True, reason=_text(document.get("detail")) or "the gateway could not store it")
    number = document.get("line")
    place = number - 1 if isinstance(number, int) and not isinstance(number, bool) and number > 0 else None
    match document.get("status"):
        case "accepted" | "duplicate" as word:
            return Told(outcome=Outcome(word), id=_text(document.get("id")), place=place)
        case "refused":
            faults = _faults(document)
            reason = " ".join(map(str, faults)) or _text(document.get("detail")) or _text(document.get("title"))
            return Told(outcome=Outcome.REFUSED, reason=reason or "the gateway refused it", faults=faults, place=place)
    return Told(reason=_text(document.get("detail")) or "the gateway did not say what became of it", place=place)


def _problem(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    if not headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _reason(status: int, problem: Mapping[str, Any] | None) -> str:
    words = [word for name in ("title", "detail") if problem and (word := _text(problem.get(name)))]
    return f"the answer was {status} ({': '.join(words)})" if words else f"the answer was {status}"


def _after(headers: Mapping[str, str], *, now: datetime) -> float:
    """The seconds of a ``Retry-After``, which may be a time."""
    text = headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_PAUSE)
    at = _date(text)
    return 0.0 if at is None else min(max(0.0, (at - now).total_seconds()), LONGEST_PAUSE)


def _apart(headers: Mapping[str, str], *, now: datetime) -> str:
    """Name clocks that are far apart: a signature's time is what the gateway looks at first."""
    at = _date(headers.get("date", ""))
    if at is None or abs(apart := (now - at).total_seconds()) <= _TOLERANCE:
        return ""
    return f"; this machine's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the gateway's"


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _faults(document: Mapping[str, Any] | None) -> tuple[Fault, ...]:
    errors = (document or {}).get("errors")
    if not isinstance(errors, list):
        return ()
    return tuple(
        Fault(
            where=_text(error.get("where")) or "",
            problem=(_text(error.get("problem")) or "is wrong").rstrip("."),
            found=_text(error.get("found")),
            cause=_text(error.get("cause")) or "",
        )
        for error in errors
        if isinstance(error, dict)
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
