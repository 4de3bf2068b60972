"""Who is told what, and how often."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.notify.problems import Kind, Problem

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_HOSTED = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"})
"""Schemes whose URL has a host where one expects it. In most others that is a token, a chat or a topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where notifications go, and which.

    Args:
        number: which of the configured ones it is, from 1.
        url: as apprise reads it; a secret.
        kinds: the only kinds that it gets; empty for all.
        sources: of what concerns a source, the only sources that it hears of; empty for all.
        bots: of what concerns bots, the only bots that it hears of; empty for all.
    """

    number: int
    url: str = field(repr=False)
    kinds: tuple[Kind, ...] = ()
    sources: tuple[str, ...] = ()
    bots: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Which one it is, without a secret: its number, its scheme, and its host where it is sure to be one."""
        return f"target {self.number}, {place(self.url)}"

    def wants(self, problem: Problem) -> bool:
        """Whether it is told of a problem."""
        if self.kinds and problem.kind not in self.kinds:
            return False
        if self.sources and problem.source is not None and problem.source not in self.sources:
            return False
        return not self.bots or not problem.bots or not set(self.bots).isdisjoint(problem.bots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a target is told.

    Args:
        group_for: seconds in which problems are gathered into one notification.
        repeat_every: seconds after which what goes on, or happens again, is told again.
        limit: notifications in an hour; what comes then waits, and is told in one.
    """

    group_for: float = 10.0
    repeat_every: float = 3600.0
    limit: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """The targets, and when.

    Args:
        broker_away_after: seconds without the broker after which somebody is told.
    """

    targets: tuple[Target, ...] = ()
    pace: Pace = field(default_factory=Pace)
    broker_away_after: float = 60.0


def place(url: str) -> str:
    """What of a target's URL is no secret: its scheme, and its host where it is sure to be one."""
    match = _SCHEME.match(url)
    if match is None:
        return "?"
    scheme = match[1].lower()
    try:
        parts = urlsplit(url)
    except ValueError:
        return scheme
    sure = scheme in _HOSTED and parts.hostname and "@" not in f"{parts.path}{parts.query}{parts.fragment}"
    return f"{scheme}://{parts.hostname}" if sure else scheme
