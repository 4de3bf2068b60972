"""Balances, limits and paper balances: told as they are, changed only where they could be stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from bot_plugin.commands import CommandFailed
from bot_plugin.hummingbot.commands.money import Money
from bot_plugin.hummingbot.internals.connectors import Holding
from schemas.command import Balance, BalanceLimit, BalancePaper

KEY = "0123456789abcdef"


class Accounts:
    """Kraken is connected, Mexc has keys and Okx has none; Gate is asked and does not answer as it should."""

    exchanges = ("kraken", "mexc", "okx", "gate")
    paper = ("kraken_paper_trade",)
    secrets = (KEY,)

    def __init__(self) -> None:
        self.connected: dict[str, object] = {"kraken": object()}
        self.configured = ("kraken", "mexc")
        self.bounds: dict[str, dict[str, Decimal]] = {"kraken": {"ETH": Decimal(2)}}
        self.begin = {"BTC": Decimal(1)}

    def held(self, _: str) -> dict[str, Holding]:
        return {"BTC": Holding(total=Decimal(2), available=Decimal("1.5")), "ETH": holding(3)}

    async def ask(self, exchange: str, *, within: float) -> dict[str, Holding]:
        if exchange == "gate":
            raise ConnectionError(f"key {KEY} is invalid")
        if exchange == "slow":
            raise TimeoutError
        return {"USDT": holding(5)}

    def limits(self, exchange: str) -> dict[str, Decimal]:
        return dict(self.bounds.get(exchange, {}))

    def limit(self, exchange: str, limits: Mapping[str, Decimal]) -> None:
        self.bounds[exchange] = dict(limits)

    def paper_balances(self) -> dict[str, Decimal]:
        return dict(self.begin)

    def begin_with(self, balances: Mapping[str, Decimal]) -> None:
        self.begin = dict(balances)


def holding(amount: int) -> Holding:
    return Holding(total=Decimal(amount), available=Decimal(amount))


class Stage:
    def __init__(self) -> None:
        self.accounts = Accounts()
        self.told: list[str] = []
        self.full = False
        accounts: Any = self.accounts
        self.money = Money(accounts, save=self._save, tell=self.told.append)

    def _save(self) -> None:
        if self.full:
            raise OSError("conf_client.yml could not be written: the disk is full")


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_balances_are_of_every_exchange_that_is_connected_or_configured(stage: Stage) -> None:
    """What a strategy uses as it knows it, the others asked."""
    data = (await stage.money.balance(Balance())).more["data"]

    assert data == {
        "kraken": {
            "BTC": {"total": Decimal(2), "available": Decimal("1.5")},
            "ETH": {"total": Decimal(3), "available": Decimal(3)},
        },
        "mexc": {"USDT": {"total": Decimal(5), "available": Decimal(5)}},
    }


async def test_an_exchange_that_cannot_be_asked_is_named_beside_the_others_without_its_key(stage: Stage) -> None:
    """The others' figures are worth something all the same; alone it is an error."""
    stage.accounts.configured = ("gate", "slow")
    answer = await stage.money.balance(Balance(asset="btc"))

    problem = "gate: it cannot be asked: key [redacted] is invalid"
    assert answer.msg == f"{problem}; slow: it did not answer within 15 s"
    assert answer.more["data"] == {"kraken": {"BTC": {"total": Decimal(2), "available": Decimal("1.5")}}}
    with pytest.raises(CommandFailed) as failed:
        await stage.money.balance(Balance(exchange="gate"))
    assert str(failed.value) == problem


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        ("mars", "Hummingbot has no exchange 'mars'; configured here: kraken, mexc"),
        ("okx", "okx: it has no API keys here"),
    ],
)
async def test_an_exchange_that_is_not_there_is_refused_by_name(stage: Stage, exchange: str, words: str) -> None:
    """Unknown to Hummingbot, or without keys here."""
    with pytest.raises(CommandFailed) as failed:
        await stage.money.balance(Balance(exchange=exchange))
    assert str(failed.value) == words


async def test_a_paper_account_that_does_not_run_holds_what_it_begins_with(stage: Stage) -> None:
    """There is nobody to ask."""
    answer = await stage.money.balance(Balance(exchange="kraken_paper_trade"))
    assert answer.more["data"] == {"kraken_paper_trade": {"BTC": {"total": Decimal(1), "available": Decimal(1)}}}


async def test_a_limit_is_set_and_taken_away_and_the_rest_stays(stage: Stage) -> None:
    """Zero is a limit, less takes it away; taking away what is not there is done already."""
    for amount, limits in (
        (0, {"ETH": Decimal(2), "BTC": Decimal(0)}),
        (-1, {"ETH": Decimal(2)}),
        (-5, {"ETH": Decimal(2)}),
    ):
        answer = await stage.money.limit(BalanceLimit(exchange="kraken", asset="btc", amount=Decimal(amount)))
        assert answer.more["data"] == {"kraken": limits} == {"kraken": stage.accounts.bounds["kraken"]}
    assert stage.told[:2] == ["BTC on kraken is limited to 0.", "BTC on kraken has no limit."]
    with pytest.raises(CommandFailed, match="Hummingbot has no exchange 'mars'"):
        await stage.money.limit(BalanceLimit(exchange="mars", asset="BTC", amount=Decimal(1)))


async def test_paper_balances_of_accounts_that_run_change_with_the_next_start(stage: Stage) -> None:
    """That is said, as the figures that are told are not the running account's."""
    answer = await stage.money.paper(BalancePaper(asset="usdt", amount=Decimal("10.5")))
    assert answer.msg == "paper accounts begin with 10.5 USDT"
    stage.accounts.connected = {"kraken_paper_trade": object()}
    answer = await stage.money.paper(BalancePaper(asset="BTC", amount=Decimal(-1)))

    assert answer.msg == "paper accounts have no BTC, from the next start on"
    assert answer.more["data"] == {"USDT": Decimal("10.5")} == stage.accounts.begin


async def test_what_cannot_be_stored_is_not_changed(stage: Stage) -> None:
    """It would be forgotten with the next start of Hummingbot."""
    stage.full = True
    before = stage.accounts.bounds["kraken"], stage.accounts.begin
    for asked in (
        stage.money.limit(BalanceLimit(exchange="kraken", asset="ETH", amount=Decimal(9))),
        stage.money.paper(BalancePaper(asset="BTC", amount=Decimal(9))),
    ):
        with pytest.raises(CommandFailed, match=r"nothing was changed: conf_client\.yml could not be written"):
            await asyncio.wait_for(asked, 5)
    assert (stage.accounts.bounds["kraken"], stage.accounts.begin, stage.told) == (*before, [])
