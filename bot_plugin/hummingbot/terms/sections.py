"""What ``config`` reads and changes is in sections: the client's, the strategy's, each controller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from bot_plugin.hummingbot.terms.figures import plain
from schemas.secrets import REDACTED, is_secret, redact

Change = tuple[str, Any]
"""A key and the value that it is to have."""

_NO_SECRETS = frozenset({"token"})
"""Names of assets in configurations, which elsewhere name a secret."""


class Wrong(Exception):
    """Changes that cannot be made; ``faults`` has the words for each key that is wrong."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{key}: {words}" for key, words in self.faults.items()))


class Proposal(Protocol):
    """Changes of one section that were found valid, and are not made yet."""

    @property
    def later(self) -> Sequence[str]:
        """What has no effect yet, and when it has."""

    def apply(self) -> None:
        """Make them, in memory and in the file; raises OSError where the file cannot be written."""

    def undo(self) -> None:
        """Let everything be as it was."""


class Section(Protocol):
    """Values with keys of their own."""

    name: str

    def read(self) -> dict[str, Any]:
        """Every value by key, secrets masked."""

    def has(self, key: str) -> bool:
        """Whether a key is this section's."""

    def hides(self, key: str) -> bool:
        """Whether the value of one of its keys is a secret."""

    async def propose(self, changes: Sequence[Change]) -> Proposal:
        """Validate changes of keys of this section, in order.

        Raises:
            Wrong: naming every key that is wrong.
        """


def shown(name: str, value: Any, *, secret: bool = False) -> Any:
    """A value as a reply may show it: masked where its name or the model says that it is secret."""
    hidden = callable(getattr(value, "get_secret_value", None))
    if hidden:
        value = value.get_secret_value()
    if (hidden or secret or secret_name(name)) and value is not None and value != "":
        return REDACTED
    return redact(plain(value))


def secret_name(key: str) -> bool:
    """Whether the last part of a key names a secret."""
    last = key.rsplit(".", 1)[-1]
    return last not in _NO_SECRETS and is_secret(last)


def simple(value: Any) -> Any:
    """A value of a request as Hummingbot's validators take it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [simple(inner) for inner in value]
    if isinstance(value, dict):
        return {key: simple(inner) for key, inner in value.items()}
    return value
