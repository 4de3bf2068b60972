"""``status``: the text that Hummingbot's own command shows, and the same as data."""

from __future__ import annotations

import asyncio
from typing import Any

from bot_plugin.commands import Answer
from bot_plugin.hummingbot.internals import connectors, controllers
from bot_plugin.hummingbot.internals.fit import VERSION, require
from bot_plugin.hummingbot.internals.open_orders import open_orders
from bot_plugin.hummingbot.internals.trading import Trading
from bot_plugin.hummingbot.terms.faults import why
from bot_plugin.hummingbot.terms.figures import instant, plain
from schemas.command import Status

_SECONDS = 10
"""For the strategy's own text: it may ask the network."""


class Standing:
    """Tells how the strategy does.

    Args:
        application: the running one.
        trading: its core.
    """

    def __init__(self, application: Any, trading: Trading) -> None:
        self._application, self._trading = application, trading

    async def tell(self, _: Status) -> Answer:
        """Tell what runs, and how it does."""
        return Answer(msg=await self._text(), more={"data": self._data()})

    async def _text(self) -> str:
        loaded = self._trading.loaded
        if self._trading.strategy is None:
            imported = (
                f"imported: {loaded.strategy} with {loaded.conf or 'its defaults'}"
                if loaded.strategy
                else "nothing is imported"
            )
            return f"No strategy is running; {imported}"
        try:
            async with asyncio.timeout(_SECONDS):
                text: str = await require(self._application, "strategy_status")()
        except TimeoutError:
            return f"{loaded.strategy} runs; its own status took longer than {_SECONDS} s"
        except Exception as error:  # noqa: BLE001  # format_status is the strategy's author's
            return f"{loaded.strategy} runs; its own status failed: {why(error)}"
        return text

    def _data(self) -> dict[str, Any]:
        loaded, found = self._trading.loaded, self._trading.connectors
        return {
            "running": self._trading.running,
            "strategy": loaded.strategy,
            "conf": loaded.conf,
            "running_since": instant(self._trading.since) if self._trading.running else None,
            "connectors": {name: _connector(connector) for name, connector in found.items()},
            "orders": [
                {**plain_order, "since": instant(order.since)}
                for order, plain_order in ((order, _order(order)) for order in open_orders(found))
            ],
            "controllers": plain(controllers.reports(self._trading.strategy)),
            "hummingbot": VERSION,
        }


def _connector(connector: Any) -> dict[str, Any]:
    try:
        read = connectors.read(connector)
    except Exception as error:  # noqa: BLE001  # one connector's fault hides no other's figures
        return {"ready": False, "problem": why(error)}
    held = {asset: {"total": each.total, "available": each.available} for asset, each in read.balances.items()}
    return {
        "ready": read.ready,
        "missing": list(read.missing),
        "connected": read.connected,
        "trading_pairs": list(read.pairs),
        "balances": plain(held),
        "positions": plain(read.positions),
    }


def _order(order: Any) -> dict[str, Any]:
    names = ("exchange", "pair", "id", "side", "price", "amount", "filled")
    return {name: getattr(order, name) for name in names}
