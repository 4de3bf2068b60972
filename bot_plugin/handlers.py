"""How a strategy says what it wants: decorators for functions, and the mailboxes that it looks into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bot_plugin.mailbox import Latest, SignalQueue
from bot_plugin.plan import Plan
from bot_plugin.registration import ALERT, ANY, TRADE, Registration, TopicRegistration
from bot_plugin.signal import Signal
from schemas.instrument import Kind
from schemas.topics import Mode

Handler = TypeVar("Handler", bound=Callable[..., Any])
Box = TypeVar("Box", SignalQueue, Latest)


class Handlers:
    """The registrations of one bot."""

    def __init__(self) -> None:
        self._registrations: list[Registration] = []
        self._topics: list[TopicRegistration] = []
        self._interrupted: list[Callable[[Signal], Any]] = []

    @property
    def plan(self) -> Plan:
        """What is registered by now."""
        return Plan(tuple(self._registrations), tuple(self._topics), tuple(self._interrupted))

    def on_trade(self, source: str = ANY, **filters: Any) -> Callable[[Handler], Handler]:
        """Call a function for each trade signal of a source. A coroutine function is awaited, another runs in a thread.

        Args:
            source: the source's name, or ``*``.
            **filters: ``pair``, ``kind``, ``venue``, ``mode``: only signals that have it; a pair alone never selects a
                derivative. ``timeout`` in seconds; ``name`` in receipts, the function's where not given; ``rerun``:
                whether a run that a crash cut short may be repeated.

        Raises:
            ValueError: an argument that could never match, or a name that is taken.
        """
        return self._decorator(TRADE, source, filters)

    def on_alert(self, source: str = ANY, **filters: Any) -> Callable[[Handler], Handler]:
        """Call a function for each alert of a source; arguments as for ``on_trade``."""
        return self._decorator(ALERT, source, filters)

    def on_topic(
        self, topic_filter: str, *, name: str | None = None, timeout: float | None = None
    ) -> Callable[[Handler], Handler]:
        """Call a function with (topic, payload bytes) for each message of an MQTT topic filter; there are no receipts.

        A message that several filters of this bot select may come once for each of them; retained ones come too.
        """
        check_filter(topic_filter)

        def register(handler: Handler) -> Handler:
            chosen = self._free(name or _name_of(handler))
            self._topics.append(
                TopicRegistration(name=chosen, topic_filter=topic_filter, target=handler, timeout=timeout)
            )
            return handler

        return register

    def on_interrupted(self, handler: Handler) -> Handler:
        """Call a function, at the next start, with each signal whose callback a crash cut short, once per handler.

        It is called before newer signals of the same source and instrument run, and again at the next start where this
        one ends before it does. What the callback had done by then nobody but the exchange knows.
        """
        self._interrupted.append(handler)
        return handler

    def queue(self, source: str = ANY, *, size: int = 100, body: str = TRADE, **filters: Any) -> SignalQueue:
        """A queue of signals for a strategy that takes them when it is ready; filters as for ``on_trade``."""
        return self._box(SignalQueue(size=size), f"queue:{source}", body, source, filters)

    def latest(self, source: str = ANY, *, body: str = TRADE, **filters: Any) -> Latest:
        """The latest signal that is still true, for a strategy that looks as it ticks; filters as for ``on_trade``."""
        return self._box(Latest(), f"latest:{source}", body, source, filters)

    def _decorator(self, body: str, source: str, filters: dict[str, Any]) -> Callable[[Handler], Handler]:
        if callable(source):
            raise TypeError("the decorator is called: @listener.on_trade(), or @listener.on_trade('btc-breakout')")

        def register(handler: Handler) -> Handler:
            self._register(handler, _name_of(handler), body, source, filters)
            return handler

        return register

    def _box(self, box: Box, name: str, body: str, source: str, filters: dict[str, Any]) -> Box:
        pair = filters.get("pair")
        self._register(box, f"{name}:{pair}" if pair else name, body, source, filters)
        return box

    def _register(self, target: Any, name: str, body: str, source: str, filters: dict[str, Any]) -> None:
        given = dict(filters)
        for key, kind in (("kind", Kind), ("mode", Mode)):
            if given.get(key) is not None:
                given[key] = kind(given[key])
        given["name"] = self._free(given.get("name") or name)
        self._registrations.append(Registration(body=body, source=source, target=target, **given))

    def _free(self, name: str) -> str:
        if name in self.plan.handlers:
            raise ValueError(
                f"there is a handler {name!r} already: receipts name handlers, so give this one name='...'"
            )
        return name


def check_filter(topic_filter: str) -> None:
    """Refuse what is no MQTT topic filter.

    Raises:
        ValueError: saying how a wildcard stands.
    """
    segments = topic_filter.split("/")
    alone = all(segment in {"+", "#"} or not set(segment) & set("+#\0") for segment in segments)
    if not topic_filter or not alone or "#" in segments[:-1]:
        raise ValueError(f"{topic_filter!r} is no topic filter: + and # stand alone between slashes, # at the end")


def _name_of(handler: Any) -> str:
    return str(getattr(handler, "__name__", None) or type(handler).__name__)
