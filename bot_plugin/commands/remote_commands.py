"""What a bot author writes: a target, own commands, and what of them may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

from bot_plugin.commands.answer import MAX_REPLY
from bot_plugin.commands.ledger import Ledger
from bot_plugin.commands.memory import MemoryLedger
from bot_plugin.commands.offers import OWN, Offer, Offers, of_target
from bot_plugin.commands.outcome import Audit, Outcome
from bot_plugin.commands.reading import Rules
from bot_plugin.commands.service import CommandService
from bot_plugin.commands.sqlite import SqliteLedger
from bot_plugin.commands.target import METHODS
from bot_plugin.errors import SettingsError
from bot_plugin.settings import PluginSettings
from schemas.fields import is_name

Handler = TypeVar("Handler", bound=Callable[..., Any])

LIMIT = 30.0
"""Seconds that a command may take, as with the stock bridge."""


class RemoteCommands:
    """The commands that a bot answers: hand it to ``SignalListener.serve``.

    Args:
        target: an object with some of the methods of CommandTarget; a command that it has no method for is answered
            so. None where the bot has commands of its own only.
        allow: the commands that may be asked for, such as ``status`` or ``command/rebalance``; None for all. The
            settings' ``allowed_commands`` narrow it further.
        limit: seconds that a command may take: then a coroutine is cancelled, and a thread is left to itself.
        limits: other limits by command.
        max_reply: bytes of a reply; a longer one is answered with how long it would be.
    """

    def __init__(
        self,
        target: object | None = None,
        *,
        allow: Collection[str] | None = None,
        limit: float = LIMIT,
        limits: Mapping[str, float] | None = None,
        max_reply: int = MAX_REPLY,
    ) -> None:
        self._limit, self._limits, self._max_reply = limit, dict(limits or {}), max_reply
        self._allow = None if allow is None else frozenset(allow)
        self._offers = _offers_of(target, self._limit_of)
        self._audit = Audit()
        self._memory: MemoryLedger | None = None
        for seconds in (limit, *self._limits.values()):
            if not seconds > 0:
                raise ValueError(f"a limit is in seconds and more than 0, not {seconds!r}")

    def handles(self, name: str, *, ordered: bool = True, limit: float | None = None) -> Callable[[Handler], Handler]:
        """Register a command of the bot's own: the function gets the ``data`` of the request, a mapping.

        Args:
            name: of the command; its topic is ``{namespace}/{bot}/command/{name}``.
            ordered: whether it waits for the commands before it, and those after it wait.
            limit: seconds that it may take; the limit of all where None.

        Raises:
            ValueError: the name cannot be in a topic, or is taken.
        """
        if callable(name):
            raise TypeError('the decorator is called with a name: @commands.handles("rebalance")')
        if not is_name(name):
            raise ValueError(f"a command's name has only A-Z a-z 0-9 _ and -; it is {name!r}")
        if f"{OWN}{name}" in {offer.name for offer in self._offers}:
            raise ValueError(f"there is a command {name!r} already")
        if limit is not None and not limit > 0:
            raise ValueError(f"a limit is in seconds and more than 0, not {limit!r}")

        def register(function: Handler) -> Handler:
            topic = f"{OWN}{name}"
            seconds = self._limit_of(topic) if limit is None else limit
            self._offers.append(Offer(name=topic, function=function, ordered=ordered, limit=seconds))
            return function

        return register

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many commands ended how since this object was made; what never happened is not in it."""
        return self._audit.counts

    def names(self, settings: PluginSettings) -> tuple[str, ...]:
        """What a bot with these settings does when it is asked, as its card shows it."""
        return self._for(settings).names

    def problems(self, settings: PluginSettings) -> Iterator[str]:
        """What of the allow-lists and limits names no command."""
        known = Offers(self._offers, allow={*(self._allow or ()), *(settings.allowed_commands or ()), *self._limits})
        for name in sorted(known.unknown):
            yield (
                f"{name!r} is no command of this bot, nor of the contract: {', '.join(METHODS)}; one of its own is "
                f"spelled {OWN}NAME"
            )

    def service(
        self,
        settings: PluginSettings,
        *,
        durable: bool,
        now: Callable[[], int],
        monotonic: Callable[[], int],
    ) -> CommandService:
        """Make what serves them in one run.

        Args:
            settings: of the bot.
            durable: whether what was run is to be remembered on the disk.
            now: the bot's clock, microseconds since the epoch.
            monotonic: a clock that nobody sets, microseconds.

        Raises:
            SettingsError: a name that is no command's.
        """
        if problems := list(self.problems(settings)):
            raise SettingsError(problems)
        return CommandService(
            self._for(settings),
            Rules(bot=settings.bot, topics=settings.topics, keys=settings.keys, legacy=settings.legacy_replies),
            ledger=self._ledger(settings, durable=durable, monotonic=monotonic),
            audit=self._audit,
            now=now,
            monotonic=monotonic,
            grace=settings.grace,
            max_reply=self._max_reply,
        )

    def _for(self, settings: PluginSettings) -> Offers:
        lists = [names for names in (self._allow, settings.allowed_commands) if names is not None]
        allow = None if not lists else frozenset.intersection(*map(frozenset, lists))
        return Offers(self._offers, allow=allow)

    def _ledger(self, settings: PluginSettings, *, durable: bool, monotonic: Callable[[], int]) -> Ledger:
        if durable:
            return SqliteLedger(settings.state_folder / f"{settings.bot}.commands.db", monotonic=monotonic)
        if self._memory is None:
            self._memory = MemoryLedger(monotonic=monotonic)
        return self._memory

    def _limit_of(self, name: str) -> float:
        return self._limits.get(name, self._limit)


def _offers_of(target: object | None, limit: Callable[[str], float]) -> list[Offer]:
    """What a target can do.

    Raises:
        TypeError: it is a class, or has no method of a command: it is something else.
    """
    if isinstance(target, type):
        raise TypeError(
            f"the target is an object, not the class {target.__name__}: RemoteCommands({target.__name__}())"
        )
    offers = [] if target is None else list(of_target(target, limit=limit))
    if target is not None and not offers:
        raise TypeError(f"a {type(target).__name__} has none of the methods {', '.join(METHODS.values())}")
    return offers
