"""What is wrong with the configuration, every problem with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Args:
        place: ``data/signal-gateway.yml:12``, or the environment variable.
        key: the setting as a path, ``http.public.port``; empty for the file as a whole.
        problem: what is allowed, or what is wrong, as the rest of a sentence that begins with the key.
        found: the offending text, at most 80 characters; None where nothing was there, or it must not be shown.
    """

    place: str
    key: str
    problem: str
    found: str | None = None

    def __str__(self) -> str:
        found = f" (found {self.found!r})" if self.found is not None else ""
        return f"{self.place}: {' '.join(filter(None, (self.key, self.problem)))}{found}"


class ConfigError(Misconfigured):
    """The configuration cannot be used; ``problems`` are all of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
