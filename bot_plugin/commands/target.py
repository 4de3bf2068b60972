"""What a bot may be asked to do: any object with some of these methods serves; what it lacks is answered so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from schemas.command import (
    Balance,
    BalanceLimit,
    BalancePaper,
    Command,
    Config,
    History,
    Import,
    Start,
    Status,
    Stop,
)


class CommandTarget(Protocol):
    """The methods, plain or async, of which a bot has some; each returns what the caller is told.

    ``None`` says nothing more than success, a text is the reply's ``msg``, anything else its ``data`` (``trades`` of
    ``history``, ``config`` of ``config``), and an Answer has every field. ``CommandFailed`` says why not.
    """

    def start(self, request: Start) -> Any:
        """Start trading."""

    def stop(self, request: Stop) -> Any:
        """Stop trading; the process goes on."""

    def import_strategy(self, request: Import) -> Any:
        """Load the configuration of a strategy."""

    def config(self, request: Config) -> Any:
        """Change the configuration, and tell it."""

    def status(self, request: Status) -> Any:
        """Tell how it does."""

    def history(self, request: History) -> Any:
        """Tell its trades."""

    def balance(self, request: Balance) -> Any:
        """Tell what it holds, by exchange and asset."""

    def balance_limit(self, request: BalanceLimit) -> Any:
        """Bound how much of an asset it may use."""

    def balance_paper(self, request: BalancePaper) -> Any:
        """Set how much of an asset a paper account holds."""


METHODS: Mapping[Command, str] = {
    Command.START: "start",
    Command.STOP: "stop",
    Command.IMPORT: "import_strategy",
    Command.CONFIG: "config",
    Command.STATUS: "status",
    Command.HISTORY: "history",
    Command.BALANCE: "balance",
    Command.BALANCE_LIMIT: "balance_limit",
    Command.BALANCE_PAPER: "balance_paper",
}
"""By command, the method that does it."""

HARMLESS = frozenset({Command.STATUS, Command.HISTORY, Command.BALANCE})
"""The commands that change nothing: they run beside the others, and are the first to be forgotten."""
