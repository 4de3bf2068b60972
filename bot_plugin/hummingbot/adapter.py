"""The companion: it attaches to the running Hummingbot, and lives as long as that does."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from asyncio import Task
from dataclasses import replace
from typing import Any

from bot_plugin.errors import SettingsError
from bot_plugin.hummingbot.commands.target import remote_commands
from bot_plugin.hummingbot.internals import application as hummingbots
from bot_plugin.hummingbot.internals import configured, order_events
from bot_plugin.hummingbot.internals.bridge import Bridge
from bot_plugin.hummingbot.internals.markets import MarketEvent, Markets
from bot_plugin.hummingbot.orders import OrderWatch
from bot_plugin.hummingbot.relay import Relay
from bot_plugin.listener import SignalListener
from bot_plugin.program import MENDABLE
from bot_plugin.settings import PluginSettings
from bot_plugin.settings_files import BESIDE
from bot_plugin.wording import describe_error
from schemas.command import Command

log = logging.getLogger("bot_plugin.hummingbot")


class NotRunning(RuntimeError):
    """There is no Hummingbot in this process to attach to."""

    def __init__(self) -> None:
        super().__init__(
            "no Hummingbot runs in this process: start it with signal-gateway-hummingbot, or attach from a script that "
            "it runs"
        )


class Adapter:
    """The companion of one application: remote commands, telemetry, and signals for its strategies.

    Args:
        application: the running Hummingbot.

    Raises:
        SettingsError: with every problem of its configuration.
        Unfit: this Hummingbot lacks what the plugin relies on.
    """

    def __init__(self, application: Any) -> None:
        settings = settings_of(application)
        self._application = application
        self.loop: asyncio.AbstractEventLoop = hummingbots.loop(application)
        self._bridge = Bridge(application, prefix=f"{settings.namespace}/{settings.bot}", host=settings.host)
        self._task: Task[None] | None = None
        self._awaited = False
        self.settings = settings
        self.listener = SignalListener(settings)
        self.orders = OrderWatch(unfilled=self.listener.telemetry.notify)
        self.listener.serve(remote_commands(application))
        self.markets = Markets(application)
        figures = settings.topics.telemetry(settings.bot, "performance")
        self._relay = Relay(application, self.listener.telemetry, self._bridge, self.markets, performance=figures)

    def start(self) -> None:
        """Begin, on Hummingbot's loop."""
        if self.settings.commands:
            topics, bot = self.settings.topics, self.settings.bot
            self._bridge.take([topics.command(bot, command) for command in Command])
        self.markets.watch()
        self.markets.listen(self._heard)
        self._relay.begin()
        self._task = self.loop.create_task(self._live(), name="bot_plugin.hummingbot")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Let running handlers and commands end, say goodbye, and leave Hummingbot as it was."""
        self._relay.conclude()
        self.listener.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    def listen_to_logs(self) -> None:
        """Take up Hummingbot's loggers at once, as it has set them up anew."""
        self._relay.set_up()

    async def up(self, *, within: float) -> bool:
        """Return when it is connected, or after a time (seconds): it goes on connecting then. Whether it is.

        Where it ends meanwhile, whoever waits here is told, and nobody besides.

        Raises:
            NameTaken, LinkRefused, SettingsError, OSError: as ``SignalListener.run`` says, where it ended already.
        """
        connected = self.loop.create_task(self.listener.wait_connected(), name="bot_plugin.hummingbot.up")
        waited = [connected, *([self._task] if self._task else [])]
        self._awaited = True
        await asyncio.wait(waited, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        self._awaited = False
        is_up = connected.done()
        connected.cancel()
        if self._task is not None and self._task.done():
            await self._task
        return is_up

    def _heard(self, event: MarketEvent) -> None:
        if (fact := order_events.read(event.said)) is not None:
            self.orders.hear(fact)

    async def _live(self) -> None:
        relaying = self.loop.create_task(self._relay.run(), name="bot_plugin.hummingbot.relay")
        try:
            await self.listener.run()
        finally:
            relaying.cancel()

    def _ended(self, task: Task[None]) -> None:
        """Leave Hummingbot to itself, and say why where nobody asked for it."""
        _forget(self)
        self._relay.end()
        self.markets.unwatch()
        self._bridge.give_back()
        sys.modules.pop(f"{__package__}.auto", None)  # so that the next script that imports it attaches again
        if task.cancelled() or (error := task.exception()) is None or self._awaited:
            return
        mendable = isinstance(error, MENDABLE)
        why = str(error) if mendable else describe_error(error)
        words = f"signal-gateway has ended, and with it signals, remote commands and telemetry: {why}"
        log.critical("%s", words, exc_info=None if mendable else error)
        hummingbots.notify(self._application, words)


_attached: dict[int, Adapter] = {}
"""By the id of its application; at most one, as there is one application in a process."""
_attaching = threading.Lock()


def attach(application: Any = None) -> Adapter:
    """Attach to the running Hummingbot, or return what is attached to it.

    Args:
        application: the HummingbotApplication; the one of this process where None.

    Raises:
        NotRunning: there is none.
        SettingsError: with every problem of its configuration.
        Unfit: this Hummingbot lacks what the plugin relies on.
    """
    application = hummingbots.running() if application is None else application
    if application is None:
        raise NotRunning
    with _attaching:
        if (adapter := _attached.get(id(application))) is None:
            adapter = _attached[id(application)] = Adapter(application)
            _start(adapter)
    return adapter


def attached() -> Adapter | None:
    """The companion of this process; None where there is none."""
    application = hummingbots.running()
    return None if application is None else _attached.get(id(application))


def settings_of(application: Any) -> PluginSettings:
    """The plugin's settings: Hummingbot's, as they are in its memory, and those of ``conf_signal_gateway.yml``.

    Raises:
        SettingsError: with every problem.
    """
    settings = PluginSettings.from_running(
        configured.instance_id(application),
        configured.mqtt_bridge(application),
        folder=configured.configuration_folder(),
    )
    if settings.listen:
        raise SettingsError([f"{BESIDE}: listen: here the strategy says what it listens to, as SignalMixin has it"])
    if settings.state_dir is not None:
        return settings
    return replace(settings, state_dir=str(configured.data_folder() / "signal-gateway" / settings.bot))


def _start(adapter: Adapter) -> None:
    loop = adapter.loop
    if loop.is_running() and not _is_current(loop):
        loop.call_soon_threadsafe(adapter.start)
    else:
        adapter.start()


def _is_current(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _forget(adapter: Adapter) -> None:
    for key, one in list(_attached.items()):
        if one is adapter:
            del _attached[key]
