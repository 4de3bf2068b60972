"""``balance``, ``balance/limit``, ``balance/paper``: the figures as they are when it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

from bot_plugin.commands import Answer, CommandFailed
from bot_plugin.hummingbot.internals.accounts import Accounts
from bot_plugin.hummingbot.internals.connectors import Holding
from bot_plugin.hummingbot.terms.figures import plain
from schemas.command import Balance, BalanceLimit, BalancePaper
from schemas.secrets import redact_text

_SECONDS = 15
"""For an exchange that is asked over the network."""


class Money:
    """Tells and bounds what may be used.

    Args:
        accounts: of the application.
        save: writes its configuration; raises OSError where it cannot.
        tell: shows a text to whoever sits before it.
    """

    def __init__(self, accounts: Accounts, *, save: Callable[[], None], tell: Callable[[str], None]) -> None:
        self._accounts, self._save, self._tell = accounts, save, tell

    async def balance(self, wanted: Balance) -> Answer:
        """What is held, by exchange and asset: what a strategy uses as it knows it, other exchanges asked now.

        Raises:
            CommandFailed: an exchange that it does not know, has no keys for, or cannot ask.
        """
        names = sorted({*self._accounts.connected, *self._accounts.configured})
        if wanted.exchange is not None:
            names = [self._known(wanted.exchange)]
        asked = await asyncio.gather(*(self._held(name) for name in names))
        failed = {name: held for name, held in zip(names, asked, strict=True) if isinstance(held, str)}
        if wanted.exchange is not None and failed:
            raise CommandFailed(f"{names[0]}: {failed[names[0]]}")
        asset = None if wanted.asset is None else wanted.asset.upper()
        data = {
            name: {each: _told(holding) for each, holding in held.items() if asset in {None, each.upper()}}
            for name, held in zip(names, asked, strict=True)
            if not isinstance(held, str)
        }
        words = "; ".join(f"{name}: {problem}" for name, problem in failed.items())
        return Answer(msg=words or ("" if names else "no exchange is configured"), more={"data": plain(data)})

    async def limit(self, wanted: BalanceLimit) -> Answer:
        """Bound an asset at an exchange, or take the bound away; the answer has what is bounded there now.

        Raises:
            CommandFailed: the exchange is not known, or the file cannot be written: then nothing is changed.
        """
        exchange, asset = self._known(wanted.exchange), wanted.asset.upper()
        before = self._accounts.limits(exchange)
        limits = {each: amount for each, amount in before.items() if each != asset}
        if wanted.amount >= 0:
            limits[asset] = wanted.amount
        self._change(lambda: self._accounts.limit(exchange, limits), lambda: self._accounts.limit(exchange, before))
        done = f"is limited to {wanted.amount:f}" if wanted.amount >= 0 else "has no limit"
        self._tell(f"{asset} on {exchange} {done}.")
        return Answer(msg=f"{asset} on {exchange} {done}", more={"data": {exchange: self._accounts.limits(exchange)}})

    async def paper(self, wanted: BalancePaper) -> Answer:
        """Set what a paper account begins with; the answer has all that it begins with now.

        Raises:
            CommandFailed: the file cannot be written: then nothing is changed.
        """
        asset, before = wanted.asset.upper(), self._accounts.paper_balances()
        balances = {each: amount for each, amount in before.items() if each != asset}
        if wanted.amount >= 0:
            balances[asset] = wanted.amount
        self._change(lambda: self._accounts.begin_with(balances), lambda: self._accounts.begin_with(before))
        done = f"begin with {wanted.amount:f} {asset}" if wanted.amount >= 0 else f"have no {asset}"
        running = any(name in self._accounts.paper for name in self._accounts.connected)
        when = ", from the next start on" if running else ""
        self._tell(f"Paper accounts {done}{when}.")
        return Answer(msg=f"paper accounts {done}{when}", more={"data": self._accounts.paper_balances()})

    def _known(self, exchange: str) -> str:
        name = exchange.strip()
        if name not in {*self._accounts.exchanges, *self._accounts.paper, *self._accounts.connected}:
            known = ", ".join(sorted({*self._accounts.connected, *self._accounts.configured})) or "none"
            raise CommandFailed(f"Hummingbot has no exchange {name!r}; configured here: {known}")
        return name

    async def _held(self, name: str) -> dict[str, Holding] | str:
        """What an exchange holds, or why that is not known."""
        if name in self._accounts.connected:
            return self._accounts.held(name)
        if name in self._accounts.paper:
            amounts = self._accounts.paper_balances()
            return {asset: Holding(total=amount, available=amount) for asset, amount in amounts.items()}
        if name not in self._accounts.configured:
            return "it has no API keys here"
        try:
            return await self._accounts.ask(name, within=_SECONDS)
        except TimeoutError:
            return f"it did not answer within {_SECONDS} s"
        except ConnectionError as error:
            return f"it cannot be asked: {redact_text(str(error), values=self._accounts.secrets)}"

    def _change(self, apply: Callable[[], None], undo: Callable[[], None]) -> None:
        apply()
        try:
            self._save()
        except OSError as error:
            undo()
            raise CommandFailed(f"nothing was changed: {error}") from error


def _told(holding: Holding) -> dict[str, Decimal]:
    return {"total": holding.total, "available": holding.available}
