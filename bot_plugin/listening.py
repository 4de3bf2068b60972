"""Joins what the configuration lets a bot listen to with what the strategy provides: registrations, as from code."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot_plugin.feeds import Feed
from bot_plugin.plan import Plan
from bot_plugin.registration import ANY, BODIES, Mailbox, Registration, TopicRegistration
from bot_plugin.settings import PluginSettings
from bot_plugin.topic_queue import TopicQueue
from schemas.fields import is_name
from schemas.topics import NAMED, VERSION, Mode, TopicError, Topics, decode_segment

_EVERY = "+"
_NO_SIGNALS = NAMED | {"reply"}


@dataclass(frozen=True, slots=True)
class Selected:
    """What a filter of the signals' tree selects."""

    bodies: tuple[str, ...]
    source: str
    instrument: str | None
    test: bool


def provided_by(strategy: Any) -> Iterator[tuple[str, Any]]:
    """What an object provides, by name: a function itself; of another one the methods and queues without a ``_``."""
    if inspect.isroutine(strategy):
        yield strategy.__name__, strategy
        return
    for name in dir(strategy):
        found = inspect.getattr_static(strategy, name)
        if not name.startswith("_") and (_is_method(found) or isinstance(found, Mailbox | TopicQueue)):
            yield name, getattr(strategy, name)


def _is_method(found: Any) -> bool:
    return inspect.isroutine(found) or isinstance(found, staticmethod | classmethod)


def listen(plan: Plan, provided: Mapping[str, Any], settings: PluginSettings) -> Plan:
    """Add to a plan what the settings let it listen to; what cannot be is among its faults."""
    signals: list[Registration] = []
    topics: list[TopicRegistration] = []
    faults: list[str] = []
    for feed in settings.listen:
        try:
            target = _target(feed, provided, taken=plan.handlers)
            selected = select(feed.topic_filter, settings.topics)
            _check(target, selected, settings)
            _alone(feed.handler, signals if selected is None else topics)
            if selected is None:
                topics.append(TopicRegistration(name=feed.handler, topic_filter=feed.topic_filter, target=target))
            else:
                signals += _registrations(feed.handler, target, selected)
        except ValueError as error:
            faults.append(f"listen: {feed.topic_filter} feeds {feed.handler}, but {error}")
    return replace(
        plan,
        registrations=(*plan.registrations, *signals),
        topics=(*plan.topics, *topics),
        faults=(*plan.faults, *faults),
    )


def select(topic_filter: str, topics: Topics) -> Selected | None:
    """Read a filter of the signals' tree; None for one of another tree, receipts and cards among them.

    Raises:
        ValueError: it is of that tree, and selects no signals that this plugin reads, or others beside them.
    """
    for test, root in ((False, topics.root), (True, f"{topics.root}-test")):
        if topic_filter == root or topic_filter.startswith(f"{root}/"):
            words = topic_filter.removeprefix(root).split("/")[1:]
            if len(words) > 1 and words[0] == VERSION and words[1] in _NO_SIGNALS and not test:
                return None
            return _selected(words, test=test)
    return None


def _selected(words: list[str], *, test: bool) -> Selected:
    if words[-1:] == ["#"] and 2 < len(words) < 5:  # noqa: PLR2004
        words = [*words[:-1], *[_EVERY] * (5 - len(words))]
    match words:
        case [version, body, source, segment] if version == VERSION:
            bodies = BODIES if body == _EVERY else (body,)
            instrument = None if segment == _EVERY else _decoded(segment)
            if set(bodies) <= set(BODIES) and (source == _EVERY or is_name(source)) and instrument != "":
                return Selected(bodies, ANY if source == _EVERY else source, instrument, test)
    raise ValueError(
        f"signals are selected by ROOT/{VERSION}/BODY/SOURCE/INSTRUMENT, where + stands for any, BODY is"
        f" {' or '.join(BODIES)}, and INSTRUMENT is as BTC-USDT or BTC-USDT-PERP"
    )


def _decoded(segment: str) -> str:
    try:
        return decode_segment(segment)
    except TopicError:
        return ""


def _target(feed: Feed, provided: Mapping[str, Any], *, taken: Iterable[str]) -> Any:
    if feed.handler in taken:
        raise ValueError("a handler of that name is registered in code already: give one of them another name")
    if feed.handler not in provided:
        known = ", ".join(sorted(provided)) or "nothing: listener.provide(...) offers callbacks and queues"
        raise ValueError(f"the strategy does not provide it; it provides {known}")
    return provided[feed.handler]


def _check(target: Any, selected: Selected | None, settings: PluginSettings) -> None:
    if selected is None and isinstance(target, Mailbox):
        raise ValueError("that is for signals, and these are raw messages: a TopicQueue, or a callback, takes them")
    if selected is not None and isinstance(target, TopicQueue):
        raise ValueError(
            "that is for raw messages, and these are signals: a SignalQueue, Latest or a callback has them"
        )
    if not callable(target) and not isinstance(target, Mailbox):
        raise ValueError(f"{type(target).__name__} is neither a callback nor a queue")  # noqa: TRY004  # one error for all
    if selected is not None and not any((mode is Mode.TEST) is selected.test for mode in settings.modes):
        raise ValueError(f"this bot runs {', '.join(settings.modes)} only, and that tree has none of these")


def _alone(name: str, of_the_other_kind: Iterable[Registration | TopicRegistration]) -> None:
    if name in {registration.name for registration in of_the_other_kind}:
        raise ValueError("it is fed both signals and raw messages: give each kind a callback of its own")


def _registrations(name: str, target: Any, selected: Selected) -> Iterator[Registration]:
    for body in selected.bodies:
        yield Registration(
            name=name,
            body=body,
            source=selected.source,
            target=target,
            instrument=selected.instrument,
            test=selected.test,
        )
