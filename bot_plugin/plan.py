"""What a bot listens to: its registrations, and the topic filters that they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bot_plugin.registration import ANY, Mailbox, Registration, TopicRegistration
from bot_plugin.settings import PluginSettings
from bot_plugin.signal import Signal
from schemas.topics import Mode

_EVERY = "+"


@dataclass(frozen=True, slots=True)
class Plan:
    """The registrations of one run, and what is called for a run that a crash cut short."""

    registrations: tuple[Registration, ...] = ()
    topics: tuple[TopicRegistration, ...] = ()
    interrupted: tuple[Callable[[Signal], Any], ...] = ()

    @property
    def handlers(self) -> tuple[str, ...]:
        """The handlers' names."""
        named: list[Registration | TopicRegistration] = [*self.registrations, *self.topics]
        return tuple(registration.name for registration in named)

    @property
    def mailboxes(self) -> tuple[Mailbox, ...]:
        """The places where the strategy looks."""
        targets = (registration.target for registration in self.registrations)
        return tuple(target for target in targets if isinstance(target, Mailbox))

    def signal_filters(self, settings: PluginSettings) -> tuple[str, ...]:
        """The filters for signals: the bodies and sources that have handlers, in the trees that the modes allow."""
        wanted: dict[tuple[bool, str], set[str]] = {}
        for registration in self.registrations:
            sources = settings.sources or (_EVERY,) if registration.source == ANY else (registration.source,)
            for test in _trees(registration, settings):
                wanted.setdefault((test, registration.body), set()).update(sources)
        return tuple(
            settings.topics.signal_filter(body, source, test=test)
            for (test, body), sources in sorted(wanted.items())
            for source in ([_EVERY] if _EVERY in sources else sorted(sources))
        )

    def filters(self, settings: PluginSettings) -> tuple[str, ...]:
        """Every filter that the handlers need, each once."""
        raw = (registration.topic_filter for registration in self.topics)
        return tuple(dict.fromkeys([*self.signal_filters(settings), *raw]))

    def problems(self, settings: PluginSettings) -> Iterator[str]:
        """What of the registrations these settings can never serve."""
        for registration in self.registrations:
            if registration.mode is not None and registration.mode not in settings.modes:
                yield f"handler {registration.describe()}: {registration.mode} is not one of this bot's modes; add it"
            if settings.sources and registration.source not in {ANY, *settings.sources}:
                yield f"handler {registration.describe()}: sources has only {', '.join(settings.sources)}"


def _trees(registration: Registration, settings: PluginSettings) -> set[bool]:
    modes = set(settings.modes) if registration.mode is None else {registration.mode} & set(settings.modes)
    return {mode is Mode.TEST for mode in modes}
