"""The plugin's errors, by what the person who runs the bot can do about them."""

from __future__ import annotations

from collections.abc import Iterable


class SettingsError(ValueError):
    """The settings must change; ``problems`` names every one of them at once."""

    def __init__(self, problems: Iterable[str], *, origin: str = "the settings") -> None:
        self.problems = tuple(problems)
        many = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{origin} cannot be used:{f' {self.problems[0]}' if len(self.problems) == 1 else many}")


class NameTaken(RuntimeError):
    """Another living process has this bot's name. It is not retried: two would fight over one session."""

    def __init__(self, bot: str, evidence: str) -> None:
        self.bot = bot
        super().__init__(
            f"bot name {bot!r} is in use by another process ({evidence}); "
            "stop that one, or give this bot a name of its own"
        )


class ListenerEnded(RuntimeError):
    """No more signals come: the listener ended. What ended it, where it was not stopped, is its cause."""

    def __init__(self, cause: BaseException | None = None) -> None:
        why = "was stopped" if cause is None else f"has ended ({type(cause).__name__}: {cause})"
        super().__init__(f"the listener {why}: no more signals come until it runs again")


class InboxFull(RuntimeError):
    """The inbox remembers as many ids as it can, and none of them may be forgotten yet."""


class LinkLost(ConnectionError):
    """The connection ended, or was not there, before the broker acknowledged."""


class LinkRefused(ConnectionError):
    """The broker refuses this bot for a reason that trying again cannot mend."""


class TakenOver(ConnectionError):
    """The broker gave this client id's session to another connection."""
