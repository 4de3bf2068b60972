"""Topic filters: which topics they match, which filters they cover, and who handles a topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

_T = TypeVar("_T")

_REMEMBERED_TOPICS = 16_384
_LONGEST_REMEMBERED = 256
"""Characters; the longest topics of the contract, which carry the least, are looked up each time."""


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a filter matches a topic, ``#``, ``+`` and ``$``-topics as MQTT has them."""
    return _matches(topic_filter.split("/"), topic.split("/"))


def covers(outer: str, inner: str) -> bool:
    """Whether every topic that ``inner`` matches is matched by ``outer``; False for what is no valid filter."""
    if not (is_filter(outer) and is_filter(inner)):
        return False
    wide, narrow = _levels(outer), _levels(inner)
    if wide[0] in {"#", "+"} and narrow[0].startswith("$"):
        return False
    for place, level in enumerate(wide):
        if level == "#":
            return True
        if place == len(narrow) or narrow[place] == "#" or level not in {"+", narrow[place]}:
            return False
    return len(wide) == len(narrow)


def is_filter(text: str) -> bool:
    """Whether a text is a topic filter: wildcards fill a level, ``#`` is the last one."""
    levels = text.split("/")
    return (
        bool(text)
        and "\0" not in text
        and all(level == "+" or "+" not in level for level in levels)
        and all("#" not in level for level in levels[:-1])
        and (levels[-1] == "#" or "#" not in levels[-1])
    )


def _levels(topic_filter: str) -> list[str]:
    levels = topic_filter.split("/")
    return levels[1:] if levels == ["+", "#"] else levels  # every topic has a first level


def _matches(filter_levels: list[str], levels: list[str]) -> bool:
    if levels[0].startswith("$") and filter_levels[0] in {"#", "+"}:
        return False
    for place, level in enumerate(filter_levels):
        if level == "#":
            return True
        if place == len(levels) or level not in {"+", levels[place]}:
            return False
    return len(filter_levels) == len(levels)


class Routes(Generic[_T]):
    """Who handles which filters; the answers for recent topics are remembered, as few topics carry most messages."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, list[str], _T]] = []
        self._remembered: dict[str, tuple[_T, ...]] = {}

    def add(self, topic_filter: str, target: _T) -> None:
        """Route a filter, also one that was routed before, to a target.

        Raises:
            ValueError: the text is no topic filter.
        """
        if not is_filter(topic_filter):
            raise ValueError(f"{topic_filter!r} is not a topic filter")
        self._routes.append((topic_filter, topic_filter.split("/"), target))
        self._remembered.clear()

    def filters(self) -> Iterator[tuple[str, tuple[_T, ...]]]:
        """Every filter once, in the order in which they were added, with its targets."""
        routed: dict[str, tuple[_T, ...]] = {}
        for topic_filter, _, target in self._routes:
            routed[topic_filter] = (*routed.get(topic_filter, ()), target)
        return iter(routed.items())

    def of(self, topic: str) -> tuple[_T, ...]:
        """The targets of a topic, in the order in which they were added."""
        try:
            return self._remembered[topic]
        except KeyError:
            levels = topic.split("/")
            found = tuple(target for _, route, target in self._routes if _matches(route, levels))
            if len(self._remembered) >= _REMEMBERED_TOPICS:
                self._remembered.clear()
            if len(topic) <= _LONGEST_REMEMBERED:
                self._remembered[topic] = found
            return found
