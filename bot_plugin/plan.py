"""What a bot listens to: its registrations, and the topic filters that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bot_plugin.registration import ANY, Desk, Mailbox, Registration, TopicRegistration
from bot_plugin.settings import PluginSettings
from bot_plugin.signal import Signal
from bot_plugin.topic_queue import TopicQueue
from schemas.topics import Mode

_EVERY = "+"

_Wanted = tuple[bool, str, str, str]


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What is called for a run that was cut short.

    Args:
        handlers: those whose runs it is called for; None for every one.
    """

    callback: Callable[[Signal], Any]
    handlers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The registrations of one run, and what is called for a run that a crash cut short.

    Args:
        faults: what is wrong with the registrations themselves.
        more_may_come: whether handlers come and go while it runs: what is for one that is not here waits for it.
    """

    registrations: tuple[Registration, ...] = ()
    topics: tuple[TopicRegistration, ...] = ()
    interrupted: tuple[Interrupted, ...] = ()
    faults: tuple[str, ...] = ()
    more_may_come: bool = False

    @property
    def handlers(self) -> tuple[str, ...]:
        """The handlers' names."""
        named: list[Registration | TopicRegistration] = [*self.registrations, *self.topics]
        return tuple(dict.fromkeys(registration.name for registration in named))

    @property
    def mailboxes(self) -> tuple[Mailbox, ...]:
        """The places where the strategy looks."""
        targets = (registration.target for registration in self.registrations)
        return tuple(dict.fromkeys(target for target in targets if isinstance(target, Mailbox)))

    @property
    def topic_queues(self) -> tuple[TopicQueue, ...]:
        """The places where it looks for raw messages."""
        targets = (registration.target for registration in self.topics)
        return tuple(dict.fromkeys(target for target in targets if isinstance(target, TopicQueue)))

    def open(self, desk: Desk) -> None:
        """Let the places where the strategy looks be filled."""
        for mailbox in self.mailboxes:
            mailbox.open(desk)
        for queue in self.topic_queues:
            queue.open()

    def close(self, cause: BaseException | None) -> None:
        """Tell whoever looks there that no more comes, and what ended it; None where nothing did but a wish."""
        places: list[Mailbox | TopicQueue] = [*self.mailboxes, *self.topic_queues]
        for place in places:
            place.close(cause)

    def without(self, other: Plan) -> Plan:
        """What is registered here and not there."""
        return Plan(
            tuple(each for each in self.registrations if each not in other.registrations),
            tuple(each for each in self.topics if each not in other.topics),
        )

    def joined(self, guest: Plan) -> Plan:
        """What this plan and that of a guest want; the guest is told only of runs of its own that were cut short."""
        own = frozenset(guest.handlers)
        return Plan(
            (*self.registrations, *guest.registrations),
            (*self.topics, *guest.topics),
            (*self.interrupted, *(replace(each, handlers=own) for each in guest.interrupted)),
            (*self.faults, *guest.faults),
            more_may_come=True,
        )

    def told_of(self, handler: str) -> tuple[Callable[[Signal], Any], ...]:
        """What is called for a run of a handler that was cut short."""
        told = (each for each in self.interrupted if each.handlers is None or handler in each.handlers)
        return tuple(each.callback for each in told)

    def signal_filters(self, settings: PluginSettings) -> tuple[str, ...]:
        """The filters for signals: the bodies and sources that have handlers, in the trees that the modes allow."""
        wanted = {
            (test, registration.body, source, registration.instrument or _EVERY)
            for registration in self.registrations
            for source in _sources(registration, settings)
            for test in _trees(registration, settings)
        }
        return tuple(
            settings.topics.signal_filter(body, source, instrument, test=test)
            for test, body, source, instrument in sorted(wanted)
            if not any(_covers(other, (test, body, source, instrument)) for other in wanted)
        )

    def filters(self, settings: PluginSettings) -> tuple[str, ...]:
        """Every filter that the handlers need, each once."""
        raw = (registration.topic_filter for registration in self.topics)
        return tuple(dict.fromkeys([*self.signal_filters(settings), *raw]))

    def problems(self, settings: PluginSettings) -> Iterator[str]:
        """What of the registrations these settings can never serve."""
        yield from self.faults
        for registration in self.registrations:
            if registration.mode is not None and registration.mode not in settings.modes:
                yield f"handler {registration.describe()}: {registration.mode} is not one of this bot's modes; add it"
            if settings.sources and registration.source not in {ANY, *settings.sources}:
                yield f"handler {registration.describe()}: sources has only {', '.join(settings.sources)}"


def _covers(wide: _Wanted, narrow: _Wanted) -> bool:
    return wide != narrow and all(one in {_EVERY, other} for one, other in zip(wide, narrow, strict=True))


def _sources(registration: Registration, settings: PluginSettings) -> tuple[str, ...]:
    return settings.sources or (_EVERY,) if registration.source == ANY else (registration.source,)


def _trees(registration: Registration, settings: PluginSettings) -> set[bool]:
    modes = set(settings.modes) if registration.mode is None else {registration.mode} & set(settings.modes)
    return {test for mode in modes if registration.test in {None, (test := mode is Mode.TEST)}}
