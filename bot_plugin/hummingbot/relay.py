"""What Hummingbot says of itself goes to telemetry: logs, notifications, events of orders, and figures."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

from bot_plugin.hummingbot.figures import Figures
from bot_plugin.hummingbot.internals import application as hummingbots
from bot_plugin.hummingbot.internals.bridge import Bridge
from bot_plugin.hummingbot.internals.loggers import Loggers
from bot_plugin.hummingbot.internals.markets import MarketEvent, Markets
from bot_plugin.hummingbot.internals.performance import Performance
from bot_plugin.hummingbot.telling import Doubles, LogRelay, Notifier
from bot_plugin.telemetry import Telemetry

log = logging.getLogger("bot_plugin.hummingbot")

LOOK = 0.25
"""Seconds between looks at what Hummingbot may have changed: its loggers, its bridge."""

SAMPLE = 1.0
"""Seconds between figures, as Hummingbot's own script has it."""

PATIENCE = 3.0
"""Seconds that a script has to tell its figures itself: then the plugin does. And how long what it told counts."""

_BY_BRIDGE = frozenset({"hb", "status_updates"})


class Relay:
    """What goes from one application to telemetry, as far as its own bridge does not tell it.

    Args:
        application: the running Hummingbot.
        telemetry: what it goes to.
        bridge: the stock bridge.
        markets: tells the events.
        performance: topic of the figures, to know those that the script tells itself.
    """

    def __init__(
        self, application: Any, telemetry: Telemetry, bridge: Bridge, markets: Markets, *, performance: str
    ) -> None:
        self._application, self._telemetry = application, telemetry
        self._bridge, self._markets, self._topic = bridge, markets, performance
        self._doubles = Doubles(lambda: bridge.now, lambda: bridge.connected)
        self._loggers = Loggers(LogRelay(telemetry.log_handler(logging.NOTSET), bridge.logs, self._doubles))
        self._notifier = Notifier(self._notify, self.set_up)
        self._performance = Performance(application, markets)
        self._figures = Figures()
        self._overheard: dict[str, float] = {}
        telemetry.elsewhere = lambda channel: channel in _BY_BRIDGE and bridge.connected
        telemetry.performance_every(SAMPLE, self._sample)

    def begin(self) -> None:
        """Begin to take what is said."""
        self.set_up()
        self._markets.listen(self._event)
        self._bridge.overhear(self._overhear)
        hummingbots.notifiers(self._application).append(self._notifier)

    def conclude(self) -> None:
        """Tell what ended since the last look."""
        self._telemetry.performance(self._due())

    def end(self) -> None:
        """Take no more."""
        self._loggers.release()
        self._markets.unlisten(self._event)
        notifiers = hummingbots.notifiers(self._application)
        if self._notifier in notifiers:
            notifiers.remove(self._notifier)

    async def run(self) -> NoReturn:
        """Keep up with Hummingbot, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                self._loggers.hold()
                self._doubles.settle()
            except Exception:
                log.exception("telemetry does not keep up with Hummingbot")

    def set_up(self) -> None:
        """Take up Hummingbot's loggers, as it has set them up anew."""
        self._loggers.read()
        self._loggers.hold()

    def _notify(self, text: str) -> None:
        tell = partial(self._telemetry.notify, text)
        self._doubles.put(tell) if self._bridge.notifies else tell()

    def _event(self, event: MarketEvent) -> None:
        tell = partial(self._telemetry.event, event.type, event.members)
        self._doubles.put(tell) if self._bridge.hears(event.connector) else tell()

    async def _sample(self) -> Mapping[str, Mapping[str, Any]]:
        return self._due()

    def _due(self) -> Mapping[str, Mapping[str, Any]]:
        now = time.monotonic()
        snapshot = self._performance.snapshot()
        elsewhere = {name for name, at in self._overheard.items() if now - at < PATIENCE and self._bridge.connected}
        if self._performance.publishes and self._performance.age < PATIENCE:
            elsewhere |= set(snapshot)
        return self._figures.choose(snapshot, elsewhere=elsewhere, now=now)

    def _overhear(self, topic: str, payload: Mapping[str, Any]) -> None:
        if topic == self._topic:
            now = time.monotonic()
            self._overheard = {**self._overheard, **dict.fromkeys(payload, now)}
