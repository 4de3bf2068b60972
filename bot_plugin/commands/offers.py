"""What a bot does when it is asked: the methods of its target and its own functions, as far as they are allowed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bot_plugin.commands.outcome import Outcome
from bot_plugin.commands.reading import Call, Refusal, refuse
from bot_plugin.commands.target import HARMLESS, METHODS
from schemas.command import Command, parameters
from schemas.errors import ContractError

OWN = "command/"
"""Before the name of a bot's own command, in its topic."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offer:
    """One command, and what is called for it.

    Args:
        name: what follows the bot in the topic.
        function: plain or async; gets what ``read`` makes of the parameters.
        ordered: whether it waits for the commands before it.
        limit: seconds that it may take.
        harmless: whether it changes nothing.
        read: checks the parameters.
    """

    name: str
    function: Callable[[Any], Any]
    ordered: bool = True
    limit: float
    harmless: bool = False
    read: Callable[[Mapping[str, Any]], Any] = dict


def of_target(target: object, *, limit: Callable[[str], float]) -> Iterable[Offer]:
    """The commands that an object has a method for."""
    for command, method in METHODS.items():
        function = getattr(target, method, None)
        if callable(function):
            harmless = command in HARMLESS
            yield Offer(
                name=command.value,
                function=function,
                ordered=not harmless,
                limit=limit(command.value),
                harmless=harmless,
                read=partial(parameters, command),
            )


class Offers:
    """The commands of one run.

    Args:
        offers: what the bot can do.
        allow: the names that it may be asked for; None for all.
    """

    def __init__(self, offers: Iterable[Offer], *, allow: Collection[str] | None) -> None:
        self._offers = {offer.name: offer for offer in offers}
        self._allow = allow

    @property
    def names(self) -> tuple[str, ...]:
        """What it does when it is asked."""
        return tuple(name for name in self._offers if self._allows(name))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The allowed names that are no command's: a slip of whoever wrote them."""
        known = {*self._offers, *(command.value for command in Command)}
        return tuple(name for name in self._allow or () if name not in known)

    def choose(self, call: Call) -> tuple[Offer, Any] | Refusal:
        """What to run for a call, and what to call it with; or why nothing is."""
        offer = self._offers.get(call.name)
        known = ", ".join(self.names) or "none"
        if not self._allows(call.name):
            return refuse(call, Outcome.NOT_ALLOWED, f"{call.name} is not allowed here; this bot's commands: {known}")
        if offer is None:
            return refuse(call, Outcome.UNKNOWN, f"this bot does not have {call.name}; its commands: {known}")
        try:
            return offer, offer.read(call.data)
        except ContractError as error:
            return refuse(call, Outcome.INVALID, str(error))

    def _allows(self, name: str) -> bool:
        return self._allow is None or name in self._allow
