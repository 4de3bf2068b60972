"""Hummingbot's trading core: what runs in it, how it is started, and how nothing of it is left behind."""

from __future__ import annotations

import asyncio
import importlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot_plugin.hummingbot.internals.application import notify
from bot_plugin.hummingbot.internals.connectors import is_ready
from bot_plugin.hummingbot.internals.controllers import of as controllers_of
from bot_plugin.hummingbot.internals.fit import offers, require
from bot_plugin.hummingbot.internals.open_orders import Endings
from bot_plugin.hummingbot.internals.orphans import Orphans
from bot_plugin.hummingbot.internals.overheard import Overheard

log = logging.getLogger("bot_plugin.hummingbot")

_LOOK = 0.05
_STOPS = frozenset({"stop_loop", "exit_loop", "wind_down"})
"""What ends a strategy and all below it: Hummingbot's stop and exit, and the end of our own launcher."""
_TICKS = 3
"""Ticks of the clock within which a strategy begins."""


class NotStarted(Exception):
    """A strategy could not be started; the cause is what Hummingbot stumbled over, where it can be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What is imported or runs: the strategy's name and its file, as the application has them."""

    strategy: str | None
    file: str | None
    config: Any

    @property
    def conf(self) -> str | None:
        """Its configuration; None where it has none: a script's file is then called as the script, by Hummingbot."""
        return None if self.file == self.strategy else self.file


class Trading:
    """The trading core of an application. Everything is called on its loop.

    Args:
        application: the running one.
        patience: seconds for a start: a kill switch waits until every connector is ready.
        grace: seconds for a stop, of which executors and exchanges may take 20 each.
    """

    def __init__(self, application: Any, *, patience: float = 45.0, grace: float = 60.0) -> None:
        self._application, self._patience, self._grace = application, patience, grace
        self._core = require(application, "trading_core")

    @property
    def strategy(self) -> Any | None:
        """The strategy that is there; None where none runs."""
        return require(self._core, "strategy")

    @property
    def loaded(self) -> Loaded:
        """What is imported, or runs."""
        core = self._core
        return Loaded(
            strategy=require(core, "strategy_name"),
            file=require(core, "strategy_file_name"),
            config=require(core, "strategy_config_map"),
        )

    @property
    def kind(self) -> str | None:
        """The class of the strategy that is there: it has no other name where the UI forgot it."""
        return None if self.strategy is None else type(self.strategy).__name__

    @property
    def running(self) -> bool:
        """Whether a strategy runs."""
        return bool(require(self._core, "_strategy_running")) and self.strategy is not None

    @property
    def starting(self) -> bool:
        """Whether somebody at the terminal is starting one."""
        return bool(require(self._application, "_in_start_check"))

    @property
    def stopping(self) -> bool:
        """Whether a stop is under way, also one of the terminal's: what is started meanwhile it would take along."""
        return any(map(_stops, asyncio.all_tasks()))

    @property
    def idle(self) -> bool:
        """Whether nothing at all is there that ``stop`` would end."""
        parts = ("strategy", "clock", "markets_recorder", "_strategy_running", "connectors")
        return not any(require(self._core, part) for part in parts)

    @property
    def since(self) -> float | None:
        """When its clock was started: seconds since the epoch; None where it stands still."""
        started = require(self._core, "start_time")
        return started / 1000 if started and require(self._core, "clock") is not None else None

    @property
    def connectors(self) -> Mapping[str, Any]:
        """The exchanges that are connected, by name."""
        found: Mapping[str, Any] = require(self._core, "connectors")
        return found

    @property
    def tick_size(self) -> float:
        """Seconds from one tick of the clock to the next."""
        return float(require(self._application, "client_config_map.tick_size"))

    def endings(self, connectors: Mapping[str, Any]) -> Endings:
        """What hears which orders end."""
        return Endings(connectors)

    def load(self, loaded: Loaded) -> None:
        """Let this be what is imported."""
        core = self._core
        core.strategy_name, core.strategy_config_map = loaded.strategy, loaded.config
        core.strategy_file_name = loaded.file

    async def start(self, strategy: str, conf: str | None, *, script: bool) -> None:
        """Start a strategy, and return when its clock ticks; a failure leaves the core as it was.

        Args:
            strategy: its name.
            conf: its file; None for a script with its defaults.
            script: whether it is a script.

        Raises:
            NotStarted: with its cause.
        """
        before, orphans = self.loaded, Orphans()
        self._application._in_start_check = True  # as the UI's own start has it
        try:
            await self._start(strategy, conf, script=script)
        except BaseException:
            clearing = asyncio.create_task(self._clear(before, orphans), name="bot_plugin.hummingbot.clear")
            await asyncio.shield(clearing)
            raise
        finally:
            self._application._in_start_check = False

    async def end(self, *, skip_order_cancellation: bool) -> list[BaseException]:
        """Stop what runs, and everything with it; what went wrong on the way is given back.

        Args:
            skip_order_cancellation: leave the open orders where they are.
        """
        problems: list[BaseException] = []
        stop_loop = require(self._application, "stop_loop")
        with Overheard(require(self._core, "logger")(), require(self._application, "logger")()) as heard:
            try:
                async with asyncio.timeout(self._grace):
                    await stop_loop(skip_order_cancellation)
            except Exception as error:  # noqa: BLE001  # a strategy's own on_stop is anybody's code
                late = TimeoutError(f"the strategy did not end within {self._grace:g} s")
                problems.append(late if isinstance(error, TimeoutError) else error)
                await require(self._core, "stop_strategy")()
                self._core.strategy = None
                await stop_loop(skip_order_cancellation)
        for name in list(self.connectors):
            require(self._core, "connector_manager.remove_connector")(name)
        return problems + heard.errors

    async def _start(self, strategy: str, conf: str | None, *, script: bool) -> None:
        from hummingbot.strategy.strategy_v2_base import StrategyV2Base  # noqa: PLC0415

        core = self._core
        core._config_source = core._config_data = None  # of a start that failed before
        require(self._application, "_initialize_notifiers")()
        begin = require(core, "start_strategy")
        importlib.invalidate_caches()  # the script may be new
        with Overheard(require(core, "logger")()) as heard, Overheard(StrategyV2Base.logger()) as of_strategy:
            try:
                async with asyncio.timeout(self._patience):
                    begun = await begin(strategy, conf if script else None, conf)
            except TimeoutError:
                raise NotStarted(self._late()) from None
        self._judge(heard, of_strategy, begun=begun)
        await self._ticking()

    def _judge(self, heard: Overheard, of_strategy: Overheard, *, begun: bool) -> None:
        """Say whether it was started: Hummingbot logs that it was not, and goes on without a controller that fails.

        Raises:
            NotStarted: with what was logged.
        """
        config = getattr(self.strategy, "config", None)
        lacking = len(controllers_of(self.strategy)) < len(getattr(config, "controllers_config", None) or ())
        errors = heard.errors + (of_strategy.errors if lacking else [])
        if errors:
            raise NotStarted from errors[0]
        if not begun or self.strategy is None or lacking:
            said = (*heard.messages, *of_strategy.messages, "Hummingbot does not say why")
            raise NotStarted(said[0])

    def _late(self) -> str:
        waiting = [name for name, connector in self.connectors.items() if not is_ready(connector)]
        for_ = f"; not ready: {', '.join(waiting)}" if waiting else ""
        return f"Hummingbot did not finish its start within {self._patience:g} s{for_}"

    async def _ticking(self) -> None:
        """Return when the strategy has the time from its clock.

        Raises:
            NotStarted: the clock has ended, or does not tick.
        """
        task, strategy = require(self._core, "_clock_task"), require(self._core, "strategy")
        deadline = asyncio.get_running_loop().time() + _TICKS * self.tick_size + 1
        while asyncio.get_running_loop().time() < deadline:
            if task.done():
                error = None if task.cancelled() else task.exception()
                raise NotStarted("the clock has ended") from error
            if not math.isnan(float(require(strategy, "current_timestamp"))):
                return
            await asyncio.sleep(_LOOK)
        raise NotStarted(f"the clock does not tick: nothing for {_TICKS * self.tick_size + 1:g} s")

    async def _clear(self, before: Loaded, orphans: Orphans) -> None:
        """Take everything away that a failed start made, and let what was imported be imported still."""
        await self.end(skip_order_cancellation=False)
        if (switch := require(self._core, "kill_switch")) is not None:
            switch.stop()
            self._core.kill_switch = None
        orphans.end()
        self.load(before)

    def refresh_bridge(self) -> None:
        """Let the stock bridge forward the logs and events of what was started, as the UI's own start does."""
        bridge = require(self._application, "_mqtt")
        for name in ("patch_loggers", "start_market_events_fw"):
            if bridge is not None and offers(bridge, name):
                try:
                    require(bridge, name)()
                except Exception:
                    log.exception("Hummingbot's own bridge does not forward what is new")

    def tell(self, text: str) -> None:
        """Show a text to whoever sits before it."""
        notify(self._application, text)


def _stops(task: asyncio.Task[Any]) -> bool:
    """Whether a task is within one of these, by itself or by what it waits for."""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        if getattr(coroutine, "__name__", "") in _STOPS:
            return True
        coroutine = getattr(coroutine, "cr_await", None)
    return False
