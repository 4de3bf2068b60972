"""The commands as a caller spells them: topic, parameters, and how the answer is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar

from bot_plugin.client.payloads import (
    Configuration,
    Holding,
    TradeFill,
    read_configuration,
    read_data,
    read_holdings,
    read_nothing,
    read_trades,
)
from schemas.command import Command
from schemas.fields import exact_text, is_name
from schemas.rpc import Reply

T_co = TypeVar("T_co", covariant=True)

Number = Decimal | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T_co]):
    """One command, not sent yet.

    Args:
        command: what follows the bot in the topic.
        data: its parameters; None among them is left out.
        read: reads the answer; raises ContractError for one of another shape.
        empty_word: whether a stock Hummingbot answers 200 to it without having done it.
    """

    command: str
    read: Callable[[Reply], T_co]
    data: Mapping[str, Any] = field(default_factory=dict)
    empty_word: bool = False


def start(
    *, script: str | None, conf: str | None, log_level: str | None, is_quickstart: bool, wait: bool
) -> Call[None]:
    """Start the imported strategy, or a script."""
    data = {"script": script, "conf": conf, "log_level": log_level, "is_quickstart": is_quickstart}
    return _call(Command.START, read_nothing, {**data, "async_backend": not wait}, empty_word=True)


def stop(*, skip_order_cancellation: bool) -> Call[None]:
    """Stop the strategy. A stock bot that is waited for cancels the orders whatever it is told."""
    data = {"skip_order_cancellation": skip_order_cancellation, "async_backend": skip_order_cancellation}
    return _call(Command.STOP, read_nothing, data, empty_word=skip_order_cancellation)


def import_strategy(strategy: str) -> Call[None]:
    """Import a strategy's configuration."""
    return _call(Command.IMPORT, read_nothing, {"strategy": strategy})


def config(params: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Call[Configuration]:
    """Read the configuration, after changing what is given."""
    pairs = params.items() if isinstance(params, Mapping) else params
    return _call(Command.CONFIG, read_configuration, {"params": [[name, value] for name, value in pairs]})


def status() -> Call[Any]:
    """Ask how the strategy does."""
    return _call(Command.STATUS, read_data, {"async_backend": False})


def history(*, days: float, verbose: bool, precision: int | None) -> Call[tuple[TradeFill, ...]]:
    """Ask for trades; a stock bot answers with them only where it is waited for."""
    data = {"days": days, "verbose": verbose, "precision": precision, "async_backend": False}
    return _call(Command.HISTORY, read_trades, data)


def balance(*, exchange: str | None, asset: str | None) -> Call[tuple[Holding, ...]]:
    """Ask what is held."""
    return _call(Command.BALANCE, read_holdings, {"exchange": exchange, "asset": asset})


def balance_limit(exchange: str, asset: str, amount: Number) -> Call[Any]:
    """Say how much may be used."""
    data = {"exchange": exchange, "asset": asset, "amount": _amount(amount)}
    return _call(Command.BALANCE_LIMIT, read_data, data, empty_word=True)


def balance_paper(asset: str, amount: Number) -> Call[Any]:
    """Say how much a paper account holds."""
    return _call(Command.BALANCE_PAPER, read_data, {"asset": asset, "amount": _amount(amount)}, empty_word=True)


def own(name: str, data: Mapping[str, Any] | None) -> Call[Any]:
    """A bot's own command.

    Raises:
        ValueError: it cannot have this name.
    """
    if not is_name(name):
        raise ValueError(f"a command's name has A-Z a-z 0-9 _ and -, 1 to 128 of them; it is {name[:80]!r}")
    return Call(command=f"command/{name}", read=read_data, data=dict(data or {}))


def _call(
    command: Command, read: Callable[[Reply], T_co], data: Mapping[str, Any], *, empty_word: bool = False
) -> Call[T_co]:
    given = {name: value for name, value in data.items() if value is not None}
    return Call(command=command.value, read=read, data=given, empty_word=empty_word)


def _amount(amount: Number) -> str:
    try:
        return exact_text(Decimal(str(amount)))
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not a number") from None
