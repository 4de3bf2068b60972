"""What bots answer, typed: trades, balances and configuration, read with patience for what they leave out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from schemas.errors import ContractError, Fault
from schemas.fields import exact_text, from_micros, is_number
from schemas.rpc import Reply
from schemas.times import any_time

_LONGEST = 80
"""Characters of a number as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFill:
    """A fill, as Hummingbot tells of it.

    Args:
        symbol: the pair, ``BTC-USDT``.
        side: BUY or SELL, as the bot spells it.
        at: when; None where the bot does not say.
        fee: as the bot has it; empty where it tells none.
        raw: all that it told.
    """

    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    market: str = ""
    trade_id: str = ""
    base: str = ""
    quote: str = ""
    at: datetime | None = None
    fee: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """How much of an asset a bot holds at an exchange; ``available`` is None where it does not tell them apart."""

    exchange: str
    asset: str
    total: Decimal
    available: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A bot's configuration, and what of it this call changed."""

    config: Mapping[str, Any]
    changes: tuple[tuple[str, Any], ...] = ()


def read_nothing(_: Reply) -> None:
    """Read the answer of a command that has none but its status."""


def read_data(reply: Reply) -> Any:
    """Read what a bot's own command answers."""
    return reply.more.get("data")


def read_trades(reply: Reply) -> tuple[TradeFill, ...]:
    """Read the answer to ``history``.

    Raises:
        ContractError: a row is no trade.
    """
    rows = reply.more.get("trades") or []
    if not isinstance(rows, list):
        raise ContractError(Fault(where="trades", problem="is a list"))
    return tuple(_trade(row, where=f"trades[{index}]") for index, row in enumerate(rows))


def read_holdings(reply: Reply) -> tuple[Holding, ...]:
    """Read the answer to ``balance``: exchange, asset, and an amount or its ``total`` and ``available``.

    Raises:
        ContractError: it has another shape.
    """
    exchanges = _mapping(reply.more.get("data"), where="data")
    return tuple(
        _holding(held, exchange=exchange, asset=asset)
        for exchange, assets in exchanges.items()
        for asset, held in _mapping(assets, where=f"data.{exchange}").items()
    )


def read_configuration(reply: Reply) -> Configuration:
    """Read the answer to ``config``.

    Raises:
        ContractError: it has another shape.
    """
    return Configuration(
        config=_mapping(reply.more.get("config"), where="config"), changes=tuple(_changes(reply.more.get("changes")))
    )


def _changes(changes: Any) -> Iterator[tuple[str, Any]]:
    for index, pair in enumerate(changes if isinstance(changes, list) else []):
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):  # noqa: PLR2004
            raise ContractError(Fault(where=f"changes[{index}]", problem="is a key and a value"))
        yield pair[0], pair[1]


def _trade(row: Any, *, where: str) -> TradeFill:
    row = _mapping(row, where=where)
    raw = row.get("raw_json")
    fee = raw.get("trade_fee") if isinstance(raw, dict) else row.get("trade_fee")
    at = any_time(row.get("trade_timestamp"))
    return TradeFill(
        symbol=_text(row.get("symbol")),
        side=_text(row.get("trade_type")),
        price=_amount(row.get("price"), where=f"{where}.price"),
        quantity=_amount(row.get("quantity"), where=f"{where}.quantity"),
        market=_text(row.get("market")),
        trade_id=_text(row.get("trade_id")),
        base=_text(row.get("base_asset")),
        quote=_text(row.get("quote_asset")),
        at=None if at is None else from_micros(at),
        fee=fee if isinstance(fee, dict) else {},
        raw=row,
    )


def _holding(held: Any, *, exchange: str, asset: str) -> Holding:
    where = f"data.{exchange}.{asset}"
    told = held if isinstance(held, dict) else {"total": held}
    available = told.get("available")
    return Holding(
        exchange=exchange,
        asset=asset,
        total=_amount(told.get("total"), where=where),
        available=None if available is None else _amount(available, where=f"{where}.available"),
    )


def _mapping(value: Any, *, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ContractError(Fault(where=where, problem="is an object"))
    return value


def _amount(value: Any, *, where: str) -> Decimal:
    text = str(value)
    if (isinstance(value, str) or is_number(value)) and len(text) <= _LONGEST:
        try:
            amount = Decimal(text)
            exact_text(amount)
        except (InvalidOperation, ValueError):
            pass
        else:
            return amount
    raise ContractError(Fault(where=where, problem="is a number", found=text[:_LONGEST]))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
