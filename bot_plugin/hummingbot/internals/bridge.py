"""Hummingbot's own MQTT bridge, as it comes and goes: what it answers, and what it tells by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from hummingbot.notifier.notifier_base import NotifierBase
from hummingbot.remote_iface.mqtt import MQTTGateway, MQTTLogHandler, MQTTNotifier

from bot_plugin.hummingbot.internals.fit import require

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})

Handler = tuple[Any, Callable[..., Any]]
"""How a stock bridge answers one command: the type of its messages, and a function."""

Hear = Callable[[str, Mapping[str, Any]], None]
"""Is told of what a stock bridge is given to publish: the topic, and what."""


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
        self._register, self._publish = require(MQTTGateway, "register_command"), require(MQTTGateway, "publish")
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

    @property
    def notifies(self) -> bool:
        """Whether it forwards what Hummingbot shows its user: in the versions that were tried it does not."""
        sends = getattr(MQTTNotifier, "add_message_to_queue", None)
        return self.now is not None and sends is not getattr(NotifierBase, "add_message_to_queue", None)

    def logs(self, record: logging.LogRecord) -> bool:
        """Whether it has a log line, to send it now or later."""
        if (bridge := self.now) is None:
            return False
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(isinstance(each, MQTTLogHandler) and each._gateway is bridge for each in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False

    def hears(self, connector: Any) -> bool:
        """Whether it has the events of a connector, to send them now or later."""
        if (bridge := self.now) is None:
            return False
        forwarder = require(bridge, "_market_events")
        return forwarder is not None and any(each is connector for each in require(forwarder, "_markets"))

    def take(self, topics: Collection[str]) -> None:
        """Keep the bridge, and every later one, from answering the commands on these topics."""
        self._topics = frozenset(topics)
        MQTTGateway.register_command = self._watched()
        if (bridge := self.now) is not None:
            for topic in self._topics & set(bridge._command_table):
                self._keep(bridge, topic, bridge._command_table.pop(topic))
                bridge._schedule_unsubscribe(topic)

    def overhear(self, hear: Hear) -> None:
        """Tell of each message that a bridge is given to publish; from any thread."""
        publish = self._publish

        def overheard(bridge: Any, topic: str, payload: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(payload, Mapping):
                hear(topic, payload)
            return publish(bridge, topic, payload, *arguments, **options)

        MQTTGateway.publish = overheard

    def give_back(self) -> None:
        """Let the bridge answer again what was taken from it."""
        self._topics = frozenset()
        MQTTGateway.register_command, MQTTGateway.publish = self._register, self._publish
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
