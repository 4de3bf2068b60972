"""How a strategy says what it wants: decorators for functions, and the mailboxes that it looks into."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar

from bot_plugin.listening import provided_by
from bot_plugin.mailbox import Latest, SignalQueue
from bot_plugin.plan import Interrupted, Plan
from bot_plugin.registration import ALERT, ANY, TRADE, Registration, TopicRegistration
from bot_plugin.signal import Signal
from bot_plugin.topic_queue import TopicQueue
from bot_plugin.transport import check_filter
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
        self._provided: dict[str, Any] = {}

    @property
    def plan(self) -> Plan:
        """What is registered by now."""
        return Plan(tuple(self._registrations), tuple(self._topics), tuple(map(Interrupted, self._interrupted)))

    @property
    def provides(self) -> bool:
        """Whether anything is offered to the configuration."""
        return bool(self._provided)

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

    def topic_queue(self, topic_filter: str, *, size: int = 1_000, name: str | None = None) -> TopicQueue:
        """A queue of (topic, payload bytes) for a strategy that takes them when it is ready; see ``on_topic``."""
        return self.on_topic(topic_filter, name=name or f"topic:{topic_filter}")(TopicQueue(size=size))

    def provide(self, *strategies: Any, **named: Any) -> None:
        """Offer callbacks and queues to the configuration, whose ``listen`` feeds them by their names.

        A callback gets a Signal where its filter is one of signals, else (topic, payload bytes).

        Args:
            *strategies: functions, by their own names; of other objects the methods and queues without ``_``.
            **named: callbacks and queues, by the names that are given here.

        Raises:
            ValueError: a name that is taken.
        """
        for name, target in [*chain.from_iterable(map(provided_by, strategies)), *named.items()]:
            if name in self._provided:
                raise ValueError(f"{name!r} is provided already: give this one another name")
            self._provided[name] = target

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


def _name_of(handler: Any) -> str:
    return str(getattr(handler, "__name__", None) or type(handler).__name__)
