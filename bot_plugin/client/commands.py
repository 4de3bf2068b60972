"""The commands that a client sends, whichever connection carries them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, Unpack

from bot_plugin.client import calls
from bot_plugin.client.calls import Call, Number
from bot_plugin.client.options import CallOptions
from bot_plugin.client.payloads import Configuration, Holding, TradeFill
from bot_plugin.client.results import Result

T = TypeVar("T")


class Commands(ABC):
    """Every command of the contract, on a stock Hummingbot or a bot with the plugin.

    None of them raises for what a bot or the broker answers: the result says it. ``ValueError`` is for a name or a
    parameter that cannot be sent.
    """

    @abstractmethod
    async def call(self, bot: str, call: Call[T], **options: Unpack[CallOptions]) -> Result[T]:
        """Send one command and wait for its answer."""

    async def start(
        self,
        bot: str,
        *,
        script: str | None = None,
        conf: str | None = None,
        log_level: str | None = None,
        is_quickstart: bool = False,
        wait: bool = True,
        **options: Unpack[CallOptions],
    ) -> Result[None]:
        """Start the imported strategy, or a script.

        Args:
            bot: which.
            script: a script's file name.
            conf: the script's configuration file.
            log_level: for the strategy.
            is_quickstart: as Hummingbot has it.
            wait: whether the bot answers after starting, instead of before.
            options: as ``CallOptions`` has them.
        """
        call = calls.start(script=script, conf=conf, log_level=log_level, is_quickstart=is_quickstart, wait=wait)
        return await self.call(bot, call, **options)

    async def stop(
        self, bot: str, *, skip_order_cancellation: bool = False, **options: Unpack[CallOptions]
    ) -> Result[None]:
        """Stop the strategy, and cancel its orders unless told to leave them."""
        return await self.call(bot, calls.stop(skip_order_cancellation=skip_order_cancellation), **options)

    async def import_strategy(self, bot: str, strategy: str, **options: Unpack[CallOptions]) -> Result[None]:
        """Import a strategy's configuration, named without its suffix."""
        return await self.call(bot, calls.import_strategy(strategy), **options)

    async def config(
        self,
        bot: str,
        params: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        **options: Unpack[CallOptions],
    ) -> Result[Configuration]:
        """Change what ``params`` names, in order, and read the configuration."""
        return await self.call(bot, calls.config(params), **options)

    async def status(self, bot: str, **options: Unpack[CallOptions]) -> Result[Any]:
        """How the strategy does: in words in ``msg``, and in ``data`` where the bot has more."""
        return await self.call(bot, calls.status(), **options)

    async def history(
        self,
        bot: str,
        *,
        days: float = 0,
        verbose: bool = False,
        precision: int | None = None,
        **options: Unpack[CallOptions],
    ) -> Result[tuple[TradeFill, ...]]:
        """The fills of the last ``days``; 0 for all, which a stock bot counts from its own start."""
        call = calls.history(days=days, verbose=verbose, precision=precision)
        return await self.call(bot, call, **options)

    async def balance(
        self, bot: str, *, exchange: str | None = None, asset: str | None = None, **options: Unpack[CallOptions]
    ) -> Result[tuple[Holding, ...]]:
        """What is held, per exchange and asset. Stock bots know no such command, and leave it unanswered."""
        return await self.call(bot, calls.balance(exchange=exchange, asset=asset), **options)

    async def balance_limit(
        self, bot: str, exchange: str, asset: str, amount: Number, **options: Unpack[CallOptions]
    ) -> Result[Any]:
        """Say how much of an asset may be used at an exchange; a negative amount takes the limit away."""
        return await self.call(bot, calls.balance_limit(exchange, asset, amount), **options)

    async def balance_paper(self, bot: str, asset: str, amount: Number, **options: Unpack[CallOptions]) -> Result[Any]:
        """Say how much of an asset the paper account holds."""
        return await self.call(bot, calls.balance_paper(asset, amount), **options)

    async def command(
        self, bot: str, name: str, data: Mapping[str, Any] | None = None, **options: Unpack[CallOptions]
    ) -> Result[Any]:
        """A bot's own command, by its name."""
        return await self.call(bot, calls.own(name, data), **options)
