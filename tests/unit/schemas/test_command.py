"""What each command takes: the stock bridge's fields with its defaults, and every wrong one named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.command import (
    PARAMETERS,
    Balance,
    BalanceLimit,
    BalancePaper,
    Command,
    Config,
    History,
    Import,
    Start,
    Status,
    Stop,
    parameters,
)
from schemas.errors import ContractError
from schemas.topics import Topics


def test_every_command_has_parameters_and_a_topic() -> None:
    assert set(PARAMETERS) == set(Command)
    assert Topics().command("demo", Command.BALANCE_LIMIT) == "hbot/demo/balance/limit"


@pytest.mark.parametrize(
    ("command", "data", "read"),
    [
        (Command.START, {}, Start()),
        (Command.START, {"script": "a.py", "conf": "b.yml", "log_level": None}, Start(script="a.py", conf="b.yml")),
        (Command.STOP, {"skip_order_cancellation": True}, Stop(skip_order_cancellation=True)),
        (Command.IMPORT, {"strategy": "pmm"}, Import(strategy="pmm")),
        (Command.CONFIG, {"params": [["spread", 0.1]]}, Config(params=(("spread", 0.1),))),
        (Command.STATUS, {"async_backend": False}, Status(async_backend=False)),
        (Command.HISTORY, {"days": 0.5, "unknown": 1}, History(days=0.5)),
        (Command.BALANCE, {}, Balance()),
        (
            Command.BALANCE_LIMIT,
            {"exchange": "kucoin", "asset": "BTC", "amount": "-1"},
            BalanceLimit(exchange="kucoin", asset="BTC", amount=Decimal(-1)),
        ),
        (Command.BALANCE_PAPER, {"asset": "BTC", "amount": 0.1}, BalancePaper(asset="BTC", amount=Decimal("0.1"))),
    ],
)
def test_a_commands_parameters_are_read(command: Command, data: dict[str, Any], read: Any) -> None:
    assert parameters(command, data) == read


@pytest.mark.parametrize(
    ("command", "data", "wrong"),
    [
        (Command.IMPORT, {}, {"strategy"}),
        (Command.IMPORT, {"strategy": ""}, {"strategy"}),
        (Command.START, {"script": 1, "is_quickstart": "false"}, {"script", "is_quickstart"}),
        (Command.CONFIG, {"params": {"a": 1}}, {"params"}),
        (Command.CONFIG, {"params": [["a", 1], ["b"], [1, 2]]}, {"params[1]", "params[2]"}),
        (Command.HISTORY, {"days": -1, "precision": 1.5}, {"days", "precision"}),
        (Command.BALANCE_LIMIT, {"exchange": "x", "amount": True}, {"asset", "amount"}),
        (Command.BALANCE_PAPER, {"asset": "BTC", "amount": "1e99"}, {"amount"}),
        (Command.BALANCE_PAPER, {"asset": "BTC", "amount": "much"}, {"amount"}),
        (Command.BALANCE_PAPER, {"asset": "BTC", "amount": "NaN"}, {"amount"}),
    ],
)
def test_every_wrong_parameter_is_named(command: Command, data: dict[str, Any], wrong: set[str]) -> None:
    with pytest.raises(ContractError) as raised:
        parameters(command, data)

    assert {fault.where for fault in raised.value.faults} == wrong
