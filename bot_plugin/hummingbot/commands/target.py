"""What a real Hummingbot does when it is asked: the target for RemoteCommands."""

from __future__ import annotations

from functools import partial
from typing import Any

from bot_plugin.commands import Answer, RemoteCommands
from bot_plugin.hummingbot.commands.money import Money
from bot_plugin.hummingbot.commands.running import Running
from bot_plugin.hummingbot.commands.settings import Settings
from bot_plugin.hummingbot.commands.standing import Standing
from bot_plugin.hummingbot.commands.strategies import Strategies
from bot_plugin.hummingbot.commands.trades import Trades
from bot_plugin.hummingbot.internals import configuration, logs
from bot_plugin.hummingbot.internals.accounts import Accounts
from bot_plugin.hummingbot.internals.application import notify
from bot_plugin.hummingbot.internals.library import Files
from bot_plugin.hummingbot.internals.saving import save_client
from bot_plugin.hummingbot.internals.trading import Trading
from schemas.command import Balance, BalanceLimit, BalancePaper, Config, History, Import, Start, Status, Stop

LIMITS = {"start": 60.0, "stop": 90.0, "status": 30.0, "history": 30.0}
"""Seconds that commands may take: executors have 20 s to close what they hold, and exchanges 20 s to cancel."""


def remote_commands(application: Any) -> RemoteCommands:
    """The commands of a Hummingbot, for ``SignalListener.serve``.

    Args:
        application: the running HummingbotApplication; its loop is the listener's.
    """
    return RemoteCommands(HummingbotTarget(application), limits=LIMITS)


class HummingbotTarget:
    """The nine commands on the application of this process.

    Args:
        application: the running HummingbotApplication.
    """

    def __init__(self, application: Any) -> None:
        trading, accounts = Trading(application), Accounts(application)
        tells = partial(notify, application)
        strategies = Strategies(trading, accounts)
        begin_logs = partial(logs.set_up, application)
        self._running = Running(trading, Files(application), strategies, accounts=accounts, logs=begin_logs)
        self._strategies = strategies
        self._standing = Standing(application, trading)
        self._trades = Trades(application, trading)
        self._money = Money(accounts, save=partial(save_client, application), tell=tells)
        self._settings = Settings(partial(configuration.sections, application), tell=tells)

    async def start(self, request: Start) -> Answer:
        """Start a script, a controller or a strategy; answered when it runs."""
        return await self._running.start(request)

    async def stop(self, request: Stop) -> Answer:
        """Stop it; answered when nothing of it is left."""
        return await self._running.stop(request)

    async def import_strategy(self, request: Import) -> Answer:
        """Import the configuration of one of Hummingbot's own strategies."""
        return await self._strategies.import_(request)

    async def config(self, request: Config) -> Answer:
        """Change values, all or none, and tell them all."""
        return await self._settings.config(request)

    async def status(self, request: Status) -> Answer:
        """Tell how the strategy does."""
        return await self._standing.tell(request)

    async def history(self, request: History) -> Answer:
        """Tell the trades and what came of them."""
        return await self._trades.tell(request)

    async def balance(self, request: Balance) -> Answer:
        """Tell what is held."""
        return await self._money.balance(request)

    async def balance_limit(self, request: BalanceLimit) -> Answer:
        """Bound what may be used."""
        return await self._money.limit(request)

    async def balance_paper(self, request: BalancePaper) -> Answer:
        """Set what a paper account begins with."""
        return await self._money.paper(request)
