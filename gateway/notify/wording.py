"""Wordings: which of the problems of one kind and subject say the same, and which say something else. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.notify.problems import Kind, Problem

_TOKEN = re.compile(r"[\w.:+-]+")
_UNIT = 2
"""Letters behind a number that may be a unit, as in 30s and 10ms."""

_DIGITS_OF_ID = 8
_SHORTEST_HEX_ID = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What was said in the same words, but for ids, times and numbers.

    Args:
        problem: the latest that said it.
        count: how often, since it was told last.
        since: when the first of these was, microseconds since the epoch.
        again: whether it was told before, so that the count is of what came since.
    """

    problem: Problem
    count: int = 1
    since: int = 0
    again: bool = False


def wording(problem: Problem) -> str:
    """What two problems have in common that say the same: of what lasts, all do; a bot's own words count exactly."""
    if problem.kind.lasts:
        return ""
    if problem.kind is Kind.BOT_NOTIFIED:
        return problem.text
    return _TOKEN.sub(_masked, problem.text)


def _masked(found: re.Match[str]) -> str:
    token = found[0]
    digits, letters = sum(map(str.isdigit, token)), sum(map(str.isalpha, token))
    number = digits > 0 and letters <= _UNIT and not token[0].isalpha()
    hexadecimal = digits > 0 and len(token) >= _SHORTEST_HEX_ID and set(token.lower()) <= set("0123456789abcdef-")
    return "#" if number or hexadecimal or digits >= _DIGITS_OF_ID else token
