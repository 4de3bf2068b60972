"""What the configuration lets a bot listen to: topic filters, each with the name of the callback or queue it feeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot_plugin.transport import check_filter


@dataclass(frozen=True, slots=True)
class Feed:
    """A topic filter, and the name of the callback or queue that gets what it selects."""

    topic_filter: str
    handler: str

    def __post_init__(self) -> None:
        """Refuse what is no filter, and what names nothing.

        Raises:
            ValueError: saying which, and how it is spelled.
        """
        if not isinstance(self.topic_filter, str) or not isinstance(self.handler, str) or not self.handler:
            raise ValueError(f"{self.topic_filter!r} feeds a callback or queue by its name, not {self.handler!r}")
        check_filter(self.topic_filter)


def read_feeds(value: Any) -> tuple[Feed, ...]:
    """Read feeds as the environment (``FILTER=NAME,FILTER=NAME``), a file (a mapping) or code (pairs) spells them.

    In a mapping one filter may feed several: ``FILTER: [NAME, NAME]``.

    Raises:
        ValueError: with what is wrong.
    """
    return tuple(dict.fromkeys(_feeds(value)))


def _feeds(value: Any) -> Iterator[Feed]:
    if isinstance(value, str):
        for part in filter(None, map(str.strip, value.split(","))):
            topic_filter, sign, name = part.rpartition("=")
            if not sign:
                raise ValueError(f"{part!r} is not FILTER=NAME")
            yield Feed(topic_filter.strip(), name.strip())
    elif isinstance(value, Mapping):
        for topic_filter, names in value.items():
            for name in names if isinstance(names, list | tuple) else [names]:
                yield Feed(topic_filter, name)
    elif isinstance(value, Iterable):
        for pair in value:
            yield pair if isinstance(pair, Feed) else _pair(pair)
    else:
        raise ValueError(f"filters with names are expected, not {value!r}")  # noqa: TRY004  # settings have one error


def _pair(pair: Any) -> Feed:
    match pair:
        case (topic_filter, name):
            return Feed(topic_filter, name)
    raise ValueError(f"{pair!r} is not a filter with a name")
