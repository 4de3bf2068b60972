"""The names in a PromQL query: which metrics it asks for, and which labels it knows of each."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|(?P<duration>\[[^\]]*\])|(?P<number>\d[\w.]*)|(?P<name>[a-zA-Z_:][\w:]*)|(?P<sign>=~|!~|!=|[^\s\w])"""
)
_AROUND = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric, and the labels that are compared."""

    metric: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Query:
    """What a query names.

    Args:
        selectors: each metric that it reads.
        grouped: the labels that it groups or joins by.
    """

    selectors: tuple[Selector, ...]
    grouped: frozenset[str]


def read(text: str) -> Query:
    """Read a query, which Prometheus has found to be one."""
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(text)]
    selectors: list[Selector] = []
    grouped: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, word = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 1
        if kind != "name" or word in _WORDS:
            continue
        if word in _AROUND:
            names, at = _until(tokens, at + 1, ")") if following == "(" else ([], at)
            grouped.update(names)
        elif following == "{":
            names, at = _until(tokens, at + 1, "}")
            selectors.append(Selector(word, frozenset(names)))
        elif following not in {"(", "by"}:
            selectors.append(Selector(word, frozenset()))
    return Query(tuple(selectors), frozenset(grouped))


def _until(tokens: list[tuple[str, str]], at: int, end: str) -> tuple[list[str], int]:
    """The names up to a closing sign, and where it goes on."""
    names = []
    while tokens[at][1] != end:
        if tokens[at][0] == "name":
            names.append(tokens[at][1])
        at += 1
    return names, at + 1
