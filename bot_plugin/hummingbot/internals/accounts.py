"""What the accounts hold, how much of it may be used, and what a paper account begins with."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from bot_plugin.hummingbot.internals import connectors
from bot_plugin.hummingbot.internals.application import client_config
from bot_plugin.hummingbot.internals.connectors import Holding
from bot_plugin.hummingbot.internals.fit import require

_PAPER = "_paper_trade"
_ALL = Decimal("Infinity")


class Accounts:
    """The accounts of an application. Everything is called on its loop.

    Args:
        application: the running one.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self._config = client_config(application)

    @property
    def exchanges(self) -> Collection[str]:
        """Every exchange that this Hummingbot can connect to."""
        from hummingbot.client.settings import AllConnectorSettings  # noqa: PLC0415

        known: Collection[str] = require(AllConnectorSettings, "get_connector_settings")()
        return known

    @property
    def paper(self) -> Collection[str]:
        """The names of the paper accounts."""
        from hummingbot.client.settings import AllConnectorSettings  # noqa: PLC0415

        names = require(AllConnectorSettings, "paper_trade_connectors_names")
        return {name if name.endswith(_PAPER) else f"{name}{_PAPER}" for name in names}

    @property
    def configured(self) -> Collection[str]:
        """The exchanges that it has API keys for."""
        from hummingbot.client.config.security import Security  # noqa: PLC0415

        found: Mapping[str, Any] = require(Security, "all_decrypted_values")()
        return found

    @property
    def secrets(self) -> Collection[str]:
        """The API keys themselves, so that no error repeats one."""
        from hummingbot.client.config.security import Security  # noqa: PLC0415

        ask = require(Security, "api_keys")
        return [str(value) for exchange in self.configured for value in ask(exchange).values() if value]

    @property
    def connected(self) -> Mapping[str, Any]:
        """The exchanges that a strategy is connected to now."""
        found: Mapping[str, Any] = require(self._application, "trading_core.connectors")
        return found

    def held(self, exchange: str) -> dict[str, Holding]:
        """What a connected exchange says that it holds; nobody is asked over the network."""
        return connectors.balances(self.connected[exchange])

    async def ask(self, exchange: str, *, within: float) -> dict[str, Holding]:
        """Ask an exchange that no strategy is connected to.

        Args:
            exchange: one with API keys.
            within: seconds.

        Raises:
            TimeoutError: it does not answer in time.
            ConnectionError: it cannot be asked, or refuses; with its words.
        """
        from hummingbot.user.user_balances import UserBalances  # noqa: PLC0415

        asked = require(UserBalances, "instance")()
        async with asyncio.timeout(within):
            problem = await require(asked, "update_exchange_balance")(exchange, self._config)
        if problem is not None:
            raise ConnectionError(str(problem))
        totals = require(asked, "all_balances")(exchange)
        available = require(asked, "all_available_balances_all_exchanges")().get(exchange, {})
        limits = self.limits(exchange)
        return {
            asset: Holding(
                total=Decimal(total), available=min(Decimal(available.get(asset, total)), limits.get(asset, _ALL))
            )
            for asset, total in sorted(totals.items())
            if total
        }

    def limits(self, exchange: str) -> dict[str, Decimal]:
        """How much of each asset may be used at an exchange, where that is limited."""
        found = require(self._config, "balance_asset_limit").get(exchange) or {}
        return {asset: Decimal(str(amount)) for asset, amount in found.items()}

    def limit(self, exchange: str, limits: Mapping[str, Decimal]) -> None:
        """Let these be an exchange's limits, also for a strategy that runs."""
        require(self._config, "balance_asset_limit").setdefault(exchange, {})
        held = self._config.balance_asset_limit[exchange]
        held.clear()  # connectors hold this very mapping
        held.update(limits)

    def paper_balances(self) -> dict[str, Decimal]:
        """What a paper account begins with."""
        found = require(self._config, "paper_trade.paper_trade_account_balance") or {}
        return {asset: Decimal(str(amount)) for asset, amount in found.items()}

    def begin_with(self, balances: Mapping[str, Decimal]) -> None:
        """Let a paper account begin with these, from the next start on."""
        held = require(self._config, "paper_trade.paper_trade_account_balance")
        held.clear()
        held.update({asset: float(amount) for asset, amount in balances.items()})
