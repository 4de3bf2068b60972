"""``start`` and ``stop``: done when it is answered, and nothing left behind where it could not be done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot_plugin.commands import Answer, CommandFailed
from bot_plugin.hummingbot.commands.strategies import Strategies
from bot_plugin.hummingbot.internals.accounts import Accounts
from bot_plugin.hummingbot.internals.connectors import is_ready
from bot_plugin.hummingbot.internals.library import Files
from bot_plugin.hummingbot.internals.logs import level_of
from bot_plugin.hummingbot.internals.open_orders import OpenOrder, open_orders
from bot_plugin.hummingbot.internals.saving import NotSaved
from bot_plugin.hummingbot.internals.trading import NotStarted, Trading
from bot_plugin.hummingbot.terms.faults import why
from bot_plugin.hummingbot.terms.figures import instant
from bot_plugin.hummingbot.terms.plan import Imported, Plan, plan
from schemas.command import Start, Stop

_NAMED = 10
"""Orders that are named in words; all are in the data."""


class Running:
    """Starts and stops strategies.

    Args:
        trading: the core.
        files: that may be started.
        strategies: imports Hummingbot's own strategies.
        accounts: the exchanges that it knows, and their keys.
        logs: begins the logs of a start, by its file and level.
    """

    def __init__(
        self,
        trading: Trading,
        files: Files,
        strategies: Strategies,
        *,
        accounts: Accounts,
        logs: Callable[[str, str | None], None],
    ) -> None:
        self._trading, self._files, self._strategies = trading, files, strategies
        self._accounts, self._logs = accounts, logs
        self._ending: asyncio.Task[Answer] | None = None

    async def start(self, wanted: Start) -> Answer:
        """Start what is wanted; the answer comes when its clock ticks.

        Raises:
            CommandFailed: why it does not run.
        """
        self._refuse_second()
        level = None if wanted.log_level is None else level_of(wanted.log_level)
        if wanted.log_level is not None and level is None:
            raise CommandFailed(f"log_level {wanted.log_level!r} is none: say DEBUG, INFO, WARNING or ERROR")
        loaded = self._trading.loaded
        imported = Imported(strategy=loaded.strategy, file=loaded.file) if loaded.strategy and loaded.file else None
        chosen = plan(wanted, self._files.library, imported)
        if chosen.own:
            await self._strategies.prepare(chosen)
        await self._begin(chosen, level)
        self._trading.tell(f"\n{chosen.words} was started{'' if wanted.is_quickstart else ' by a remote command'}.")
        return self._begun(chosen)

    async def stop(self, wanted: Stop) -> Answer:
        """Stop what runs; the answer comes when nothing of it is left.

        Raises:
            CommandFailed: what was not done, such as an order that is not known to be cancelled.
        """
        if self._ending is None or self._ending.done():
            if self._trading.idle:
                return Answer(msg="nothing runs", more={"data": {"stopped": None, "cancelled": [], "open": []}})
            ending = self._end(wanted)
            self._ending = asyncio.create_task(ending, name="bot_plugin.hummingbot.stop")
        return await asyncio.shield(self._ending)  # half a stop would be worse than a late one

    def _refuse_second(self) -> None:
        if self._trading.stopping or (self._ending is not None and not self._ending.done()):
            raise CommandFailed("the strategy is being stopped still: start again when it is")
        if self._trading.starting:
            raise CommandFailed("a strategy is being started already")
        if self._trading.strategy is not None or self._trading.running:
            loaded = self._trading.loaded
            raise CommandFailed(f"{loaded.strategy} runs already, with {loaded.conf or 'its defaults'}: stop it first")

    async def _begin(self, chosen: Plan, level: str | None) -> None:
        written = False
        try:
            if chosen.generate:
                written = self._files.generate(str(chosen.conf), script=chosen.strategy, controllers=chosen.generate)
            self._logs(chosen.conf or chosen.strategy, level)
            await self._trading.start(chosen.strategy, chosen.conf, script=not chosen.own)
        except BaseException as error:
            if written:
                self._files.forget(str(chosen.conf))
            if isinstance(error, NotStarted | NotSaved):
                raise CommandFailed(f"{chosen.words} was not started: {self._reason(error)}") from error
            raise
        finally:
            self._trading.refresh_bridge()

    def _reason(self, error: Exception) -> str:
        cause = error.__cause__
        if isinstance(error, NotSaved) or cause is None:
            return str(error)
        words = why(cause, exchanges=self._accounts.exchanges, secrets=self._accounts.secrets)
        return f"{error}: {words}" if error.args else words

    def _begun(self, chosen: Plan) -> Answer:
        connectors = self._trading.connectors
        waiting = [name for name, connector in connectors.items() if not is_ready(connector)]
        on = f" on {', '.join(connectors)}" if connectors else ""
        wait = f"; not ready yet: {', '.join(waiting)} (status says when; the bot's log, why not)" if waiting else ""
        data = {
            "strategy": chosen.strategy,
            "conf": chosen.conf,
            "running_since": instant(self._trading.since),
            "connectors": {name: {"ready": name not in waiting} for name in connectors},
        }
        return Answer(msg=f"{chosen.words} runs{on}{wait}", more={"data": data})

    async def _end(self, wanted: Stop) -> Answer:
        connectors = dict(self._trading.connectors)
        loaded, before = self._trading.loaded, open_orders(connectors)
        name = loaded.strategy or self._trading.kind or "what was left of a start"
        with self._trading.endings(connectors) as endings:
            problems = await self._trading.end(skip_order_cancellation=wanted.skip_order_cancellation)
        after = open_orders(connectors)
        left = [order for order in after if order.id not in endings.cancelled | endings.ended]
        known = {order.id: order for order in (*before, *after)}
        stopped = f"{name} is stopped"
        words = _orders_in_words(known, endings.cancelled, left, skipped=wanted.skip_order_cancellation)
        if problems or (left and not wanted.skip_order_cancellation):
            failures = "".join(
                f"; on the way {why(problem, secrets=self._accounts.secrets)}" for problem in problems[:3]
            )
            raise CommandFailed(f"{stopped}, but not everything was done: {words}{failures}")
        data = {
            "stopped": loaded.strategy or self._trading.kind,
            "conf": loaded.conf,
            "cancelled": sorted(endings.cancelled),
            "open": [order.id for order in left],
        }
        return Answer(msg=f"{stopped}; {words}", more={"data": data})


def _orders_in_words(known: dict[str, OpenOrder], cancelled: set[str], left: list[OpenOrder], *, skipped: bool) -> str:
    done = _listed([_named(known.get(id_), id_) for id_ in sorted(cancelled)]) or "no order"
    if not left:
        return f"cancelled {done}"
    still = _listed([_named(order, order.id) for order in left])
    return (
        f"cancelled {done}; left open {still}" if skipped else f"cancelled {done}; not known to be cancelled: {still}"
    )


def _listed(orders: list[str]) -> str:
    more = f", and {len(orders) - _NAMED} more" if len(orders) > _NAMED else ""
    return ", ".join(orders[:_NAMED]) + more


def _named(order: OpenOrder | None, id_: str) -> str:
    if order is None:
        return id_
    price = "the market" if order.price is None else f"{order.price.normalize():f}"
    return f"{order.side} {order.amount.normalize():f} {order.pair} at {price} on {order.exchange} ({id_})"
