"""Hummingbot's own MQTT bridge, as it comes and goes: what it answers, and what it tells by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from weakref import WeakKeyDictionary

from hummingbot.remote_iface.mqtt import MQTTGateway

from bot_plugin.hummingbot.internals.fit import require

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})

Handler = tuple[Any, Callable[..., Any]]
"""How a stock bridge answers one command: the type of its messages, and a function."""


class Bridge:
    """The stock bridge of an application: the one that is there, and every later one.

    Args:
        application: the running Hummingbot.
        prefix: of this bot's own topics, as the plugin has them: ``hbot/bot1``.
        host: the broker's, as the plugin reaches it.

    Raises:
        Unfit: the installed Hummingbot has another bridge.
    """

    def __init__(self, application: Any, *, prefix: str, host: str) -> None:
        self._application, self._prefix, self._host = application, prefix, host
        self._taken: WeakKeyDictionary[Any, dict[str, Handler]] = WeakKeyDictionary()
        self._topics: frozenset[str] = frozenset()
        self._register = require(MQTTGateway, "register_command")
        require(application, "_mqtt")
        if (bridge := self.now) is not None:
            for name in ("_command_table", "_schedule_subscribe", "_schedule_unsubscribe", "_QOS_COMMAND"):
                require(bridge, name)

    @property
    def now(self) -> Any | None:
        """The bridge that is there and speaks of this bot to the same broker, connected or not; None where none is."""
        bridge = self._application._mqtt
        return bridge if bridge is not None and self._is_same(bridge) else None

    @property
    def connected(self) -> bool:
        """Whether it tells of this bot now."""
        return (bridge := self.now) is not None and bool(require(bridge, "health"))

    def take(self, topics: Collection[str]) -> None:
        """Keep the bridge, and every later one, from answering the commands on these topics."""
        self._topics = frozenset(topics)
        MQTTGateway.register_command = self._watched()
        if (bridge := self.now) is not None:
            for topic in self._topics & set(bridge._command_table):
                self._keep(bridge, topic, bridge._command_table.pop(topic))
                bridge._schedule_unsubscribe(topic)

    def give_back(self) -> None:
        """Let the bridge answer again what was taken from it."""
        self._topics = frozenset()
        MQTTGateway.register_command = self._register
        bridge = self._application._mqtt
        for topic, handler in self._taken.pop(bridge, {}).items() if bridge is not None else ():
            bridge.register_command(topic, *handler)
            bridge._schedule_subscribe(topic, bridge._QOS_COMMAND)

    def _watched(self) -> Callable[..., None]:
        register = self._register

        def register_command(bridge: Any, topic: str, *handler: Any) -> None:
            if topic in self._topics and self._is_same(bridge):
                self._keep(bridge, topic, handler)
            else:
                register(bridge, topic, *handler)

        return register_command

    def _keep(self, bridge: Any, topic: str, handler: tuple[Any, ...]) -> None:
        self._taken.setdefault(bridge, {})[topic] = handler

    def _is_same(self, bridge: Any) -> bool:
        """Whether a bridge speaks of this bot to the plugin's broker; another port may well be the same broker."""
        if require(bridge, "_topic_prefix") != self._prefix:
            return False
        hosts = {str(require(bridge, "_host")), self._host}
        return len(hosts) == 1 or hosts <= _HERE
