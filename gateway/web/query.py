"""What follows the question mark of a request: which entries are asked for, and how many."""

from __future__ import annotations

import re

from aiohttp.web import BaseRequest

from gateway.web.problem import Problem
from schemas.fields import is_name

MOST = 500
"""Entries in one answer."""

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def window(request: BaseRequest, *, usual: int = 50) -> tuple[str | None, int | None, int]:
    """The ``source``, ``before`` and ``limit`` that a request asks for.

    Raises:
        Problem: one of them is none.
    """
    source = request.query.get("source")
    if source is not None and not is_name(source):
        raise Problem.bad_request("source is a source's name.")
    return source, number(request, "before"), limit(request, usual=usual)


def limit(request: BaseRequest, *, usual: int) -> int:
    """How many entries a request asks for.

    Raises:
        Problem: it is no number.
    """
    return min(number(request, "limit") or usual, MOST)


def number(request: BaseRequest, name: str) -> int | None:
    """A whole number; None where the request has none of this name.

    Raises:
        Problem: it is something else.
    """
    text = request.query.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise Problem.bad_request(f"{name} is a whole number.")
    return int(text)
