"""One strategy's callbacks at the companion: called from when it is ready to trade until it stops."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Task
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from bot_plugin.handlers import Handlers
from bot_plugin.hummingbot.orders import OrderWatch
from bot_plugin.in_force import Stale
from bot_plugin.signal import Signal
from bot_plugin.wording import describe_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot_plugin.hummingbot.adapter import Adapter

log = logging.getLogger("bot_plugin.hummingbot")

PATIENCE = 2.0
"""Seconds in which the executors that a callback asked for may place their orders, so that its receipt names them.

Executors look once a second for what they have to do."""


@dataclass(slots=True)
class _Acting:
    """What one call of a callback is for, as long as it lasts."""

    signal: Signal | None
    lasts: bool = True


_acting: ContextVar[_Acting | None] = ContextVar("acting", default=None)


class Stopping(RuntimeError):
    """A signal is not acted on, as its strategy stopped."""

    def __init__(self, words: str = "the strategy stopped as this signal came; nothing was done for it") -> None:
        super().__init__(words)


def acting_on() -> Signal | None:
    """The signal whose callback runs here, or in the task that began this one and waits for it; None elsewhere.

    When the callback has ended, what its tasks still do is theirs: connectors tell of fills in tasks of their own.
    """
    acting = _acting.get()
    return acting.signal if acting is not None and acting.lasts else None


@contextmanager
def acting_for(signal: Signal | None) -> Iterator[None]:
    """Let what is done while the block lasts be for a signal, or for none."""
    acting = _Acting(signal)
    token = _acting.set(acting)
    try:
        yield
    finally:
        acting.lasts = False
        _acting.reset(token)


class Subscription:
    """A strategy, or a controller, as one who gets signals.

    Args:
        strategy: has the callbacks ``on_trade``, ``on_alert``, ``on_prediction``, ``on_stale`` and ``on_interrupted``,
            as far as it wants them, and ``signals`` and ``predictions``, which it wants.
        name: names it in receipts; the same after a restart, as what waited for it waits for that name.
        attach: gives the companion.
    """

    def __init__(self, strategy: Any, *, name: str, attach: Callable[[], Adapter]) -> None:
        self._strategy, self._name, self._attach = strategy, name, attach
        self._open = False
        self._adapter: Adapter | None = None
        self._handlers: Handlers | None = None
        self._ending: set[Task[None]] = set()

    @property
    def orders(self) -> OrderWatch:
        """Where orders are told.

        Raises:
            RuntimeError: the companion is not attached.
        """
        if self._adapter is None:
            raise RuntimeError(f"{self._name} has no companion: it was not started, or the log says why")
        return self._adapter.orders

    def demand_open(self) -> None:
        """Refuse what nobody would carry out any more.

        Raises:
            Stopping: the strategy has stopped.
        """
        if not self._open:
            raise Stopping("the strategy stopped meanwhile; what was asked for now is not done")

    def open(self) -> None:
        """The strategy starts: attach the companion. Signals come from ``ready`` on."""
        self._open = self._try(self._connect)

    def ready(self) -> None:
        """The strategy can trade: listen from now on, where it does not yet, and no call from before runs still."""
        if self._open and self._handlers is None and not self._ending:
            self._open = self._try(self._listen)

    async def end(self) -> None:
        """The strategy stops: return when none of its callbacks runs any more."""
        self._open = False
        handlers, self._handlers = self._handlers, None
        if handlers is not None and self._adapter is not None:
            await self._adapter.listener.detach(handlers)

    def end_soon(self) -> None:
        """The strategy stops, and nobody waits for it; it may be started again at once."""
        self._open = False
        handlers, self._handlers = self._handlers, None
        if handlers is None or self._adapter is None:
            return
        detaching = self._adapter.listener.detach(handlers)
        task = asyncio.get_running_loop().create_task(detaching, name="bot_plugin.hummingbot.end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _connect(self) -> None:
        self._adapter = self._attach()

    def _listen(self) -> None:
        assert self._adapter is not None  # it is open
        handlers = self._registered()
        self._adapter.listener.attach(handlers)
        self._handlers = handlers

    def _registered(self) -> Handlers:
        handlers, wanted = Handlers(), dict(self._strategy.signals)
        for name, register in (("on_trade", handlers.on_trade), ("on_alert", handlers.on_alert)):
            if (method := getattr(self._strategy, name, None)) is not None:
                register(**{"name": f"{self._name}.{name}", **wanted})(self._calling(method))
        self._register_predictions(handlers)
        if not handlers.plan.handlers:
            raise TypeError("it has none of on_trade, on_alert and on_prediction")
        if (method := getattr(self._strategy, "on_interrupted", None)) is not None:
            handlers.on_interrupted(self._calling(method, trades=False))
        return handlers

    def _register_predictions(self, handlers: Handlers) -> None:
        wanted = dict(self._strategy.predictions)
        interval = wanted.pop("interval", None)
        if (method := getattr(self._strategy, "on_prediction", None)) is not None:
            handlers.on_prediction(**{"name": f"{self._name}.on_prediction", **wanted})(self._calling(method))
        if (method := getattr(self._strategy, "on_stale", None)) is not None:
            filters = {name: value for name, value in wanted.items() if name not in {"name", "rerun"}}
            name = f"{self._name}.on_stale"
            handlers.on_stale(**{"name": name, "interval": interval, **filters})(self._telling(method))

    def _telling(self, method: Callable[[Stale], Any]) -> Callable[[Stale], Awaitable[None]]:
        """Call on Hummingbot's loop, while the strategy can trade."""

        async def tell(stale: Stale) -> None:
            if self._open:
                result = method(stale)
                if isawaitable(result):
                    await result

        return tell

    def _calling(self, method: Callable[[Signal], Any], *, trades: bool = True) -> Callable[[Signal], Awaitable[None]]:
        """Call on Hummingbot's loop, a plain method too: nothing of a strategy may run in another thread."""

        async def call(signal: Signal) -> None:
            if trades and not self._open:
                raise Stopping
            with self.orders.holding(signal) as orders:
                with acting_for(signal):
                    result = method(signal)
                    if isawaitable(result):
                        await result
                await orders.all_placed(within=PATIENCE)

        return call

    def _try(self, step: Callable[[], None]) -> bool:
        """Whether it worked; a strategy runs on without signals, and the log says why."""
        try:
            step()
        except Exception as error:  # whatever it is: Hummingbot's clock goes on
            why = describe_error(error)
            log.exception("%s gets no signals: %s", self._name, why)
            return False
        return True
